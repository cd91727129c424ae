"""Token revocation (RFC 7009) and introspection (RFC 7662)."""

from collections.abc import Sequence
from dataclasses import dataclass

from keyhouse.audit import Actor, Origin
from keyhouse.credentials.sessions import REFRESH_PREFIX
from keyhouse.credentials.view import View
from keyhouse.issuance.throttle import Throttle
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Vocabulary
from keyhouse.tokens import Claims, Codec, TokenUse
from keyhouse.tokens.codec import TokenError


@dataclass(frozen=True, slots=True)
class Introspected:
    """A live API key: its claims, the scopes that it has now, and its earliest end (seconds since 1970)."""

    claims: Claims
    scopes: Sequence[str]
    expires_at: int


class Introspection:
    """Answers what a token is worth, and takes back one that is handed in."""

    def __init__(
        self, codec: Codec, view: View, vocabulary: Vocabulary, revocation: Revocation, throttle: Throttle
    ) -> None:
        self._codec = codec
        self._view = view
        self._vocabulary = vocabulary
        self._revocation = revocation
        self._throttle = throttle

    async def revoke(self, token: str, origin: Origin) -> None:
        """Returns when the token is dead everywhere; a text that is no live token of ours changes nothing.

        Raises `throttled`: who calls needs no credentials.
        """
        await self._throttle.token(origin.ip)
        if token.startswith(REFRESH_PREFIX):
            await self._revocation.die(deaths.refresh_token(token, origin))
            return
        try:
            claims = self._codec.decode(token)
        except TokenError:
            return
        holder = Origin(_actor(claims), origin.ip, origin.request_id)
        if claims.token_use is TokenUse.ACCESS:
            await self._revocation.die(deaths.session(claims.credential_id, holder, unless_after=claims.exp))
        else:
            await self._revocation.die(deaths.held_api_key(claims.jti, holder))

    async def introspect(self, token: str, company_id: str) -> Introspected | None:
        """What a live API key of the company is worth; None for anything else (RFC 7662 section 2.2)."""
        try:
            claims = self._codec.decode(token)
        except TokenError:
            return None
        if claims.company_id != company_id:
            return None
        state = self._view.held(claims.jti) or (await self._view.load(claims.token_use, claims.jti)).state
        if state is None or state.company_id != company_id or state.user_id != claims.sub:
            return None
        now = self._view.now()
        if now >= state.expires_at or now >= claims.exp or now < (claims.nbf or 0):
            return None
        allowed = self._vocabulary.allowed(state.roles[company_id])
        return Introspected(
            claims, self._vocabulary.ordered((state.scopes or frozenset()) & allowed), min(claims.exp, state.expires_at)
        )


def _actor(claims: Claims) -> Actor:
    """Who holds a token acts as what it is."""
    if claims.token_use is TokenUse.API_KEY:
        return Actor("api_key", claims.jti)
    return Actor("user", claims.sub)
