"""What every table shares.

Ids are UUIDv7 in their one text form, and times are whole seconds since 1970: both read the same in SQL, in a token
and in Python, on either database, with nothing to convert on the way to a verdict.
"""

import re
from typing import Annotated, cast

from sqlalchemy import BigInteger, MetaData, String, Table
from sqlalchemy.orm import DeclarativeBase, mapped_column
from uuid_utils import uuid7

ID_PATTERN = r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"
_ID = re.compile(ID_PATTERN)

Id = Annotated[str, mapped_column(String(36))]
Seconds = Annotated[int, mapped_column(BigInteger)]


class Base(DeclarativeBase):
    """Named constraints, so that a migration can speak of them on both databases."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )


def table(model: type[Base]) -> Table:
    """The table of a model, for a statement that the ORM has nothing to add to: it takes half the time."""
    return cast("Table", model.__table__)


def new_id() -> str:
    """A fresh UUIDv7: later ids sort after earlier ones."""
    return str(uuid7())


def is_id(text: object) -> bool:
    """Whether this is an id in its one form: a UUID in lower case with its hyphens."""
    return isinstance(text, str) and _ID.fullmatch(text) is not None
