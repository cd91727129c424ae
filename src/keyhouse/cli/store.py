"""Opens the database for one command, and says so in one line when it can't."""

import contextlib
import secrets
import sqlite3
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse import settings as configuration
from keyhouse.cli.mistakes import Mistake
from keyhouse.clock import SystemClock
from keyhouse.db import Database, migrations
from keyhouse.directory import companies, users
from keyhouse.directory.models import Company, User
from keyhouse.revocation import Revocation
from keyhouse.settings import Settings


@dataclass(frozen=True, slots=True)
class Store:
    """What a command works on. Every death goes through `revocation`, which waits for its promise."""

    settings: Settings
    database: Database
    clock: SystemClock
    revocation: Revocation


def settings(*, signing: bool = False, **overrides: Any) -> Settings:
    """Those of this process. A command that signs nothing needs no key; none is asked of it."""
    if not signing:
        overrides["secret_key"] = secrets.token_urlsafe(32)
    return configuration.load(**overrides)


@contextlib.asynccontextmanager
async def opened(*, signing: bool = False) -> AsyncIterator[Store]:
    """The store of the settings. Raises `Mistake` when it can't be reached, or is not at head."""
    chosen = settings(signing=signing)
    async with connected(chosen) as database:
        await require_head(database)
        clock = SystemClock()
        yield Store(chosen, database, clock, Revocation(database, clock))


@contextlib.asynccontextmanager
async def connected(chosen: Settings) -> AsyncIterator[Database]:
    """The database of these settings, whatever its schema. Raises `Mistake` when it can't be reached."""
    try:
        database = Database(chosen.database_url.get_secret_value())
    except (ArgumentError, ValueError):
        raise Mistake("KEYHOUSE_DATABASE_URL: not a URL of a database") from None
    except OSError as error:
        raise Mistake(f"KEYHOUSE_DATABASE_URL: {error.filename}: {error.strerror}") from None
    try:
        await _reach(database)
        yield database
    finally:
        await database.close()


async def require_head(database: Database) -> None:
    """Raises `Mistake` for a schema that is not of this version."""
    found, expected = await migrations.current(database), migrations.head()
    if found != expected:
        raise Mistake(
            f"the database is at revision {found or 'none'}, this version needs {expected}: run `keyhouse migrate`"
        )


async def _reach(database: Database) -> None:
    url = database.url
    where = url.database if database.kind == "sqlite" else f"{url.host or ''}:{url.port or 5432}/{url.database or ''}"
    try:
        if database.kind == "sqlite":
            # Without the driver's thread, which trips over the end of the loop when there is nothing to open.
            with contextlib.closing(sqlite3.connect(database.path)) as connection:
                connection.execute("PRAGMA schema_version")
        else:
            async with database.engine.connect():
                pass
    except TimeoutError:
        raise Mistake(f"the database {where} did not answer in time") from None
    except (OSError, DBAPIError, sqlite3.Error) as error:
        why = error.orig if isinstance(error, DBAPIError) else getattr(error, "strerror", None) or error
        raise Mistake(f"can't open the database {where}: {why}") from None


async def company(tx: AsyncSession, company_id: str) -> Company:
    """Raises `Mistake` when there is none."""
    found = await companies.get(tx, company_id)
    if found is None:
        raise Mistake(f"there is no company {company_id}")
    return found


async def user(tx: AsyncSession, email: str) -> User:
    """Raises `Mistake` when there is none."""
    found = await users.by_email(tx, email)
    if found is None:
        raise Mistake(f"there is no user {email}")
    return found
