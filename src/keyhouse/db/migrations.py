"""The schema's history: shipped in the wheel, or beside the source in a checkout."""

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, NullPool, text
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from keyhouse.db.engine import Database

# Any number will do, as long as nobody else in the database takes it: "keyhouse" as eight bytes.
_LOCK = 0x6B6579686F757365
_CONNECT_SECONDS = 5
_PACKAGE = Path(__file__).resolve().parent.parent


def _location() -> Path:
    """An editable install has no copy inside the package."""
    shipped = _PACKAGE / "migrations"
    return shipped if shipped.is_dir() else _PACKAGE.parent.parent / "alembic"


def config() -> Config:
    """Alembic's configuration, without an `alembic.ini`."""
    made = Config()
    made.set_main_option("script_location", str(_location()).replace("%", "%%"))
    return made


def head() -> str | None:
    """The newest revision that this version knows."""
    return ScriptDirectory.from_config(config()).get_current_head()


async def current(database: Database) -> str | None:
    """The revision at which the database is; None for an empty one. Raises `service_unavailable`."""
    async with database.reading() as tx:
        connection = await tx.connection()
        return await connection.run_sync(lambda sync: MigrationContext.configure(sync).get_current_revision())


async def upgrade(database: Database, revision: str = "head") -> None:
    """Migrates upwards."""
    await _run(database, lambda settings: command.upgrade(settings, revision))


async def downgrade(database: Database, revision: str) -> None:
    """Migrates downwards."""
    await _run(database, lambda settings: command.downgrade(settings, revision))


async def _run(database: Database, act: Callable[[Config], None]) -> None:
    """In one transaction, and one at a time: who comes second waits, and finds it done."""

    def migrate(connection: Connection) -> None:
        settings = config()
        settings.attributes["connection"] = connection
        act(settings)

    engine = _patient(database)
    async with engine.connect() as connection:
        await connection.execution_options(keyhouse_begin="BEGIN IMMEDIATE")
        async with connection.begin():
            if database.kind == "postgresql":
                await connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
            await connection.run_sync(migrate)


def _patient(database: Database) -> AsyncEngine:
    """An engine whose statements may take their time: a migration outlasts what a request is given."""
    if database.kind == "sqlite":
        return database.engine
    return create_async_engine(database.url, poolclass=NullPool, connect_args={"timeout": _CONNECT_SECONDS})
