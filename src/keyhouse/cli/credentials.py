"""`api-key` and `signing-key`."""

import asyncio
import secrets
from typing import Annotated, Any

import typer
from sqlalchemy import select

from keyhouse import datasets
from keyhouse.audit.events import OPERATOR
from keyhouse.cli import parameters, store
from keyhouse.cli.mistakes import Mistake
from keyhouse.cli.output import say, show, table
from keyhouse.cli.parameters import AsJson, CompanyId
from keyhouse.cli.store import Store
from keyhouse.credentials.models import ApiKey
from keyhouse.credentials.store import Status, list_keys
from keyhouse.directory import companies
from keyhouse.errors import Failure
from keyhouse.http.schemas import ApiKeyAnswer, NewApiKeyAnswer
from keyhouse.issuance.api_keys import ApiKeys
from keyhouse.issuance.expiry import Expiry
from keyhouse.revocation import deaths
from keyhouse.scopes import Vocabulary
from keyhouse.tokens import Codec, KeyRing
from keyhouse.tokens.keys import Algorithm, generate_pem

api_key = typer.Typer(help="API keys: the long-living tokens.", no_args_is_help=True)
signing_key = typer.Typer(help="Keys that sign tokens.", no_args_is_help=True)

_PAGE = 200
_FORBIDDEN = 403


@api_key.command("create")
def create_key(
    company_id: CompanyId,
    email: Annotated[str, typer.Option("--user", parser=parameters.email, metavar="EMAIL", show_default=False)],
    name: Annotated[str, typer.Option("--name", parser=parameters.name, metavar="NAME", show_default=False)],
    expires_in: Annotated[
        int, typer.Option(parser=parameters.duration, metavar="DURATION", help="As in 12h or 30d.", show_default=False)
    ],
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="May be repeated; without it, every resource scope."),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Create an API key of a member. Its token is printed now and never again."""
    vocabulary = Vocabulary(datasets.SCOPES)
    for scope in scopes or ():
        if scope not in vocabulary:
            raise Mistake(f"there is no scope {scope!r}: they are {', '.join(vocabulary.described())}")

    async def act() -> dict[str, Any]:
        async with store.opened(signing=True) as opened:
            user_id, role = await _member(opened, company_id, email)
            try:
                minted = await _api_keys(opened, vocabulary).create(
                    company_id=company_id,
                    user_id=user_id,
                    role=role,
                    name=name,
                    expiry=Expiry(within=expires_in),
                    scopes=scopes or None,
                    origin=OPERATOR,
                )
            except Failure as failed:
                if failed.status == _FORBIDDEN:
                    raise Mistake(f"a {role} can't give these scopes to a key: that takes an admin") from None
                raise
            return NewApiKeyAnswer.of(minted.record, minted.now, token=minted.token).model_dump(mode="json")

    made = asyncio.run(act())
    show(
        made if as_json else {**made, "created_by": email, "hint": None, "status": None},
        as_json=as_json,
    )


@api_key.command("revoke")
def revoke_key(key_id: Annotated[str, typer.Argument(metavar="ID", show_default=False)]) -> None:
    """Revoke an API key, and with it every successor that a key made of it: dead when this command has ended."""

    async def act() -> None:
        async with store.opened() as opened:
            async with opened.database.reading() as tx:
                company_id = await tx.scalar(select(ApiKey.company_id).where(ApiKey.id == key_id))
            if company_id is None:
                raise Mistake(f"there is no API key {key_id}")
            await opened.revocation.die(deaths.api_key(company_id, key_id, OPERATOR))

    asyncio.run(act())
    say(f"{key_id} is revoked")


@api_key.command("list")
def list_api_keys(
    company_id: CompanyId,
    expiring_within: Annotated[
        int | None,
        typer.Option(parser=parameters.duration, metavar="DURATION", help="Only active ones that end so soon."),
    ] = None,
    as_json: AsJson = False,  # noqa: FBT002 - as above
) -> None:
    """List a company's API keys that are active or expired, newest first."""
    keys = asyncio.run(_list(company_id, expiring_within))
    if as_json:
        show({"results": [key.model_dump(mode="json") for key in keys]}, as_json=True)
        return
    rows = [key.model_dump(mode="json") for key in keys]
    heads = ("id", "name", "status", "expires_at", "last_used_at", "hint")
    table(
        [*(head.replace("_", " ") for head in heads), "created by"],
        [[*(row[head] for head in heads), row["created_by"]["email"]] for row in rows],
    )


@signing_key.command("generate")
def generate(
    algorithm: Annotated[Algorithm, typer.Option(help="HS256 makes a secret, the others a private key.")] = "EdDSA",
) -> None:
    """Print a new private key in PEM, for KEYHOUSE_SIGNING_KEY_FILE; with HS256 a secret, for KEYHOUSE_SECRET_KEY."""
    say(secrets.token_urlsafe(48) if algorithm == "HS256" else generate_pem(algorithm).rstrip())


def _api_keys(opened: Store, vocabulary: Vocabulary) -> ApiKeys:
    chosen = opened.settings
    codec = Codec(KeyRing.from_settings(chosen), chosen.issuer, chosen.audience)
    return ApiKeys(opened.database, codec, vocabulary, opened.revocation, chosen.api_key_max_ttl)


async def _member(opened: Store, company_id: str, email: str) -> tuple[str, str]:
    async with opened.database.reading() as tx:
        await store.company(tx, company_id)
        user = await store.user(tx, email)
        role = await companies.role(tx, company_id, user.id)
    if role is None:
        raise Mistake(f"{email} is no member of {company_id}")
    if user.disabled_at is not None:
        raise Mistake(f"{email} is disabled: a key of theirs would be dead")
    return user.id, role


async def _list(company_id: str, expiring_within: int | None) -> list[ApiKeyAnswer]:
    statuses = [Status.ACTIVE] if expiring_within is not None else [Status.ACTIVE, Status.EXPIRED]
    found: list[ApiKeyAnswer] = []
    async with store.opened() as opened, opened.database.reading() as tx:
        await store.company(tx, company_id)
        now = await opened.database.now(tx)
        before = None
        while True:
            records = await list_keys(
                tx, company_id, created_by=None, statuses=statuses, now=now, limit=_PAGE, before=before
            )
            found += [
                ApiKeyAnswer.of(record, now)
                for record in records
                if expiring_within is None or record.end <= now + expiring_within
            ]
            if len(records) < _PAGE:
                return found
            before = records[-1].key.id
