"""Forward auth: the guard's verdict for a proxy that asks on behalf of a service in any language.

The hot route of every such service, so that it is answered before the framework is reached.
"""

import re
from collections.abc import Awaitable
from functools import lru_cache
from typing import Any
from urllib.parse import parse_qsl

from starlette.types import ASGIApp, Receive, Scope, Send

from keyhouse.db.base import ID_PATTERN
from keyhouse.errors import Failure, permission_denied
from keyhouse.gate import Exchange
from keyhouse.gate.exchange import SCOPE_KEY, Headers
from keyhouse.http.clients import Clients

PATH = "/api/v1/auth/verify/"
_PATHS = frozenset({PATH, PATH[:-1]})
_URI_HEADERS = frozenset({b"x-forwarded-uri", b"x-original-uri"})
_COMPANY_URI = re.compile(rf"/api/v1/companies/({ID_PATTERN})/[A-Za-z0-9._~!$&'()*+,;=:@/-]*", re.ASCII)
# Empty and dot segments, which a service behind may take out; some cut parameters off first and read `..;x` as `..`.
_UNCLEAR = re.compile(r"/(?:\.\.?)?[/;]|/\.\.?$")
_NOT_FOUND = 404
_DOCUMENTED = {
    "X-Auth-User": "The user's id",
    "X-Auth-Company": "The company's id, if there is one",
    "X-Auth-Credential": "The id of the API key or session",
    "X-Auth-Scopes": "Its scopes, space-separated",
}
_RAW = tuple(name.lower().encode() for name in _DOCUMENTED)
_CAPACITY = 1024
ANSWERS: dict[int | str, dict[str, Any]] = {
    204: {
        "description": "The request may pass",
        "headers": {n: {"description": text, "schema": {"type": "string"}} for n, text in _DOCUMENTED.items()},
    }
}


class ForwardAuth:
    """Tells a proxy whether a request may pass, in headers that the service behind it can read."""

    def __init__(self, clients: Clients) -> None:
        self._clients = clients

    async def headers(self, scope: Scope) -> Headers:
        """`X-Auth-*` of the principal. Raises what the guard raises, but for a company that is not the principal's
        `permission_denied`: proxies know no other refusal.
        """
        exchange: Exchange = scope[SCOPE_KEY]
        query = scope["query_string"]
        company_id, scopes = self._asked(scope, query) if query else (None, ())
        try:
            who = await exchange.gate.admit(exchange, scope["headers"], company_id, scopes)
        except Failure as failed:
            if failed.status == _NOT_FOUND:
                raise permission_denied(cause="company") from None
            raise
        return _told(who.user_id, who.company_id, who.credential_id, who.scopes)

    def _asked(self, scope: Scope, query: bytes) -> tuple[str | None, list[str]]:
        """The company and the scopes that the proxy asks for; what can't be read as one company is none: ''."""
        company_ids, scopes = [], []
        for name, value in parse_qsl(query.decode("latin-1"), keep_blank_values=True):
            if name == "company_id":
                company_ids.append(value)
            elif name == "company":
                company_ids.append(self._company_of_uri(scope) if value == "uri" else "")
            elif name == "scope":
                # An empty one is no scope that anybody has: the proxy meant one.
                scopes.extend(value.split() or [""])
            else:
                # Passed over, a misspelt name would let in whom its operator meant to keep out.
                company_ids.append("")
        if not company_ids:
            return None, scopes
        return company_ids[0] if len(company_ids) == 1 else "", scopes

    def _company_of_uri(self, scope: Scope) -> str:
        """The company in the URI that a trusted proxy was asked for, in its one exact form; '' for any other."""
        peer = scope["client"][0] if scope.get("client") else None
        found = [value for name, value in scope["headers"] if name in _URI_HEADERS]
        if len(found) != 1 or not self._clients.is_trusted(peer):
            return ""
        path = found[0].decode("latin-1").partition("?")[0]
        match = _COMPANY_URI.fullmatch(path)
        return match[1] if match is not None and _UNCLEAR.search(path) is None else ""


class VerifyFirst:
    """Answers `verify/` by the shortest way. A request for it with a body takes the long one, like any other."""

    def __init__(self, app: ASGIApp, verify: ForwardAuth) -> None:
        self.app = app
        self._verify = verify

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        if scope.get("path") not in _PATHS or scope.get("method") not in {"GET", "HEAD"} or _has_body(scope):
            return self.app(scope, receive, send)
        return self._answer(scope, send)

    async def _answer(self, scope: Scope, send: Send) -> None:
        scope["route"] = _ROUTE
        headers = await self._verify.headers(scope)
        await send({"type": "http.response.start", "status": 204, "headers": headers})
        await send({"type": "http.response.body", "body": b""})


@lru_cache(maxsize=_CAPACITY)
def _told(user_id: str, company_id: str | None, credential_id: str, scopes: frozenset[str]) -> Headers:
    values = (user_id, company_id or "", credential_id, _listed(scopes))
    return tuple((name, value.encode()) for name, value in zip(_RAW, values, strict=True))


@lru_cache(maxsize=_CAPACITY)
def _listed(scopes: frozenset[str]) -> str:
    return " ".join(sorted(scopes))


class _Route:
    path = PATH


_ROUTE = _Route()


def _has_body(scope: Scope) -> bool:
    for name, _ in scope["headers"]:  # noqa: SIM110 - a generator would take longer than all look-ups of the guard
        if name in {b"content-length", b"transfer-encoding"}:
            return True
    return False
