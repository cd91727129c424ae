"""Runs the migrations on the database of the settings, or on the connection that `keyhouse migrate` hands over."""

import asyncio

from alembic import context
from sqlalchemy import Connection

import keyhouse.audit.models
import keyhouse.credentials.models
import keyhouse.datasets.models
import keyhouse.directory.models  # noqa: F401 - the imports fill the metadata
from keyhouse import settings
from keyhouse.db import Base, Database


def run(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        compare_server_default=True,
    )
    with context.begin_transaction():
        context.run_migrations()


async def run_on_settings() -> None:
    database = Database(settings.load().database_url.get_secret_value())
    try:
        async with database.engine.connect() as connection:
            await connection.run_sync(run)
            await connection.commit()
    finally:
        await database.close()


if (given := context.config.attributes.get("connection")) is not None:
    run(given)
else:
    asyncio.run(run_on_settings())
