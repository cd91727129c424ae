"""Load that is shed: a log-in that would find no room is sent away before its body is read.

In a storm this is what most log-ins get, and what it costs is taken from the guard's time.
"""

from collections.abc import Awaitable

from starlette.types import ASGIApp, Receive, Scope, Send

from keyhouse.directory.passwords import PasswordHashing

PATH = "/api/v1/auth/token/"
_PATHS = frozenset({PATH, PATH[:-1]})


class ShedLogIns:
    """Answers 503 `service_unavailable` while too many passwords wait to be hashed."""

    def __init__(self, app: ASGIApp, hashing: PasswordHashing) -> None:
        self.app = app
        self._hashing = hashing

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope.get("path") in _PATHS and scope.get("method") == "POST":
            return self._log_in(scope, receive, send)
        return self.app(scope, receive, send)

    async def _log_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope["route"] = _ROUTE
        await self._hashing.require_room()
        await self.app(scope, receive, send)


class _Route:
    path = PATH


_ROUTE = _Route()
