"""What a database would hold, in memory; and, as many do, a cache of it that nobody tells of a revocation."""

import secrets
import time
import uuid
from datetime import UTC, datetime
from typing import Any

from django.contrib.auth.hashers import make_password

CACHE_SECONDS = 5

Row = dict[str, Any]


def new_id() -> str:
    return str(uuid.uuid4())


def now() -> datetime:
    return datetime.now(UTC).replace(microsecond=0)


COMPANY: Row = {"id": new_id(), "name": "Acme", "created_at": now()}
USER: Row = {"id": new_id(), "email": "admin@example.com", "password": secrets.token_urlsafe(15)}
PASSWORD_HASH = make_password(USER["password"])
DATASETS: dict[str, Row] = {}
KEYS: dict[str, Row] = {}
_cached: dict[str, tuple[float, Row]] = {}


def live_key(key_id: str) -> Row | None:
    """The key, unless it is dead, or has died since it was last looked for."""
    until, row = _cached.get(key_id, (0.0, {}))
    if time.monotonic() < until:
        return row
    found = KEYS.get(key_id)
    if found is None or status(found) != "active":
        return None
    _cached[key_id] = time.monotonic() + CACHE_SECONDS, found
    return found


def status(key: Row) -> str:
    if key["revoked_at"] is not None:
        return "revoked"
    return "active" if now() < key["expires_at"] else "expired"
