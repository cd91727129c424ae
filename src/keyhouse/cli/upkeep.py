"""`migrate`, `revocation-bound`, `prune` and `openapi`: what an operator does now and then."""

import asyncio
import json
import tempfile
from dataclasses import asdict
from typing import Annotated

import typer

from keyhouse.app import create_app
from keyhouse.cli import parameters, store
from keyhouse.cli.output import say
from keyhouse.credentials import bound, pruning
from keyhouse.db import migrations


def migrate() -> None:
    """Bring the database to the newest schema.

    Two at once do no harm.
    """

    async def act() -> tuple[str | None, str | None]:
        async with store.connected(store.settings()) as database:
            former = await migrations.current(database)
            await migrations.upgrade(database)
            return former, await migrations.current(database)

    former, revision = asyncio.run(act())
    say(f"the database is at {revision}" + ("" if former == revision else f", it was at {former or 'none'}"))


def revocation_bound(
    ms: Annotated[
        int | None,
        typer.Argument(parser=parameters.milliseconds, metavar="SECONDS", help="0 to 10; 0 asks at every request."),
    ] = None,
) -> None:
    """Print or set the bound of revocation.

    For so long a worker may trust what the database told it, and after that a revocation is answered. Setting it takes
    as long as the bound before; while that lasts no other is taken, and should it be interrupted, the same command once
    more finishes it.
    """

    async def act() -> bound.Bound:
        async with store.opened() as opened:
            if ms is not None:
                await bound.change(opened.database, opened.clock, ms)
            async with opened.database.reading() as tx:
                return await bound.read(tx)

    now = asyncio.run(act())
    say(f"{now.ms / 1000:g}")
    if now.former_ms is not None and ms is None:
        say(
            f"the change from {now.former_ms / 1000:g} is unfinished: run `keyhouse revocation-bound {now.ms / 1000:g}`"
        )


def prune(
    older_than: Annotated[int, typer.Option(parser=parameters.duration, metavar="DURATION", show_default=False)],
) -> None:
    """Delete what was over long ago.

    Keys that ended or were revoked, ended sessions, audit events and the log of revocations.
    """

    async def act() -> pruning.Pruned:
        async with store.opened() as opened:
            return await pruning.prune(opened.database, older_than)

    pruned = asyncio.run(act())
    say(", ".join(f"{name.replace('_', ' ')} {count}" for name, count in asdict(pruned).items()))


def openapi() -> None:
    """Print the OpenAPI document, as JSON."""
    with tempfile.TemporaryDirectory() as folder:
        # None of these shows in the document, and so none is needed for it.
        chosen = store.settings(
            database_url=f"sqlite:///{folder}/openapi.db",
            rate_limit_storage="memory://",
            signing_key_file=None,
            verification_key_files=(),
        )
        say(json.dumps(create_app(chosen).openapi(), indent=2))
