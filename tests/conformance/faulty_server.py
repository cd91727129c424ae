"""A Keyhouse with faults, as a second implementation may have them: each is one of the promises taken out.

Says what `keyhouse.testing` says, and ends as it does.
"""

from collections.abc import Collection
from typing import Any

import jwt
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from keyhouse import audit
from keyhouse.credentials import sessions, store
from keyhouse.credentials.models import ApiKey
from keyhouse.http import forward_auth
from keyhouse.http.edge import Edge
from keyhouse.issuance import expiry
from keyhouse.issuance.introspection import Introspected, Introspection
from keyhouse.issuance.sessions import Sessions
from keyhouse.revocation import Outcome, deaths
from keyhouse.testing import process
from keyhouse.tokens import Claims, Codec


async def always(*_: Any) -> bool:
    return True


async def nothing(*_: Any, **__: Any) -> None:
    return None


async def nobody(*_: Any, **__: Any) -> list[str]:
    return []


def unretired(*_: Any) -> Any:
    async def deed(*_: Any) -> Outcome[None]:
        return Outcome(None)

    return deed


def encode(self: Codec, claims: Claims) -> str:
    """With the header as PyJWT has it when it does not sort."""
    key = self.keys.signing
    headers = {"kid": key.kid}
    return jwt.encode(claims.payload(), key.signing or b"", key.algorithm, headers=headers, sort_headers=False)


async def introspect(self: Introspection, token: str, company_id: str) -> Introspected | None:
    """By the signature alone."""
    try:
        claims = self._codec.decode(token)
    except ValueError:
        return None
    return Introspected(claims, claims.scope.split(), claims.exp) if claims.company_id == company_id else None


async def revoke(self: Introspection, token: str, origin: audit.Origin) -> None:
    """By whatever the token says."""
    if token.startswith("khr_"):
        await self._revocation.die(deaths.refresh_token(token, origin))
        return
    try:
        claims = jwt.decode(token, options={"verify_signature": False})
    except jwt.PyJWTError:
        return
    if "sid" in claims:
        await self._revocation.die(deaths.session(claims["sid"], origin))
    else:
        await self._revocation.die(deaths.held_api_key(claims["jti"], origin))


add = store.add
record = audit.record
serve = Edge.__call__


async def add_with_another_hint(session: Any, key: ApiKey) -> None:
    key.hint = "eyJh"
    await add(session, key)


async def record_but_revocations(session: Any, *, action: str, **more: Any) -> None:
    if action != "api_key.revoked":
        await record(session, action=action, **more)


async def with_other_headers(self: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
    """Refusals may be stored, and a wrong method is told one that is right."""

    async def answer(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] >= 400:
            message["headers"] = [
                (name, b"GET" if name.lower() == b"allow" else value)
                for name, value in message["headers"]
                if name.lower() != b"cache-control"
            ]
        await send(message)

    await serve(self, scope, receive, answer)


def put(room: Any, faults: Collection[tuple[str, Any]]) -> None:
    for name, fault in faults:
        assert hasattr(room, name)
        setattr(room, name, fault)


put(Sessions, [("_may_repeat", always), ("end", nothing)])
put(sessions, [("end_all", nobody)])
put(deaths, [("retirement", unretired)])
put(store, [("made_by_key_of", nothing), ("add", add_with_another_hint)])
put(audit, [("record", record_but_revocations)])
put(Codec, [("encode", encode)])
put(Introspection, [("introspect", introspect), ("revoke", revoke)])
put(forward_auth, [("_NOT_FOUND", 0)])
put(expiry, [("MIN_TTL", 1)])
put(Edge, [("__call__", with_other_headers)])


process.main()
