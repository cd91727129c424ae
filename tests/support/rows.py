"""Every row of the database, before and after: what an act touched, and that it touched nothing else."""

from collections.abc import Awaitable, Callable
from typing import Any

from sqlalchemy import select

import keyhouse.app  # noqa: F401 - fills the metadata with every table
from keyhouse.db import Base, Database

# Table, primary key, column.
Place = tuple[str, str, str]


async def snapshot(database: Database) -> dict[Place, Any]:
    """Every value of every row; a row's primary key is its values, joined."""
    values: dict[Place, Any] = {}
    async with database.reading() as tx:
        for table in Base.metadata.sorted_tables:
            for row in (await tx.execute(select(table))).mappings():
                key = "/".join(str(row[column.name]) for column in table.primary_key)
                values.update({(table.name, key, name): value for name, value in row.items()})
    return values


async def touched(database: Database, act: Callable[[], Awaitable[Any]]) -> set[Place]:
    """Where the database is another after the act. A row that came or went is one place, with the column `+` or `-`."""
    before = await snapshot(database)
    await act()
    after = await snapshot(database)
    rows_before, rows_after = ({place[:2] for place in found} for found in (before, after))
    return {
        *((*row, "+") for row in rows_after - rows_before),
        *((*row, "-") for row in rows_before - rows_after),
        *(place for place in before.keys() & after.keys() if before[place] != after[place]),
    }


def in_tables(places: set[Place], *tables: str) -> set[Place]:
    """Those in the tables named."""
    return {place for place in places if place[0] in tables}
