"""The database: one engine, and one transaction for each request."""

from keyhouse.db.base import Base, Id
from keyhouse.db.engine import Database

__all__ = ["Base", "Database", "Id"]
