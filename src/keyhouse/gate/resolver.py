"""From the text of a token to a principal, or to the verdict that there is none."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Literal

from keyhouse.audit import Actor, Origin
from keyhouse.credentials.sightings import Sightings
from keyhouse.credentials.state import State
from keyhouse.credentials.view import View
from keyhouse.errors import Failure, invalid_token, not_found, permission_denied
from keyhouse.gate import bearer
from keyhouse.gate.exchange import Exchange
from keyhouse.gate.principal import Principal, moment
from keyhouse.scopes import Vocabulary, is_scope
from keyhouse.tokens import Claims, Codec, TokenUse
from keyhouse.tokens.codec import TokenError

_CAPACITY = 32768
# Looked up once: an enumeration takes longer to find its member than the guard takes to compare it.
_API_KEY = TokenUse.API_KEY
_TYPE: dict[TokenUse, Literal["access_token", "api_key"]] = {
    TokenUse.ACCESS: "access_token",
    TokenUse.API_KEY: "api_key",
}


# Why a credential is refused that a revocation may have killed just now.
KILLED = frozenset({"revoked", "retired", "user disabled", "membership gone"})
_NOBODY = Principal("", None, None, "", "access_token", frozenset(), moment(0))


@dataclass(slots=True, eq=False)
class _Admission:
    """A verified token, and what was last decided for it: good as long as the very same state is held."""

    claims: Claims
    credential_id: str
    state: State | None = None
    company_id: str | None = None
    ends: int = 0
    principal: Principal = _NOBODY


class Gate:
    """Decides every request. Warm, it waits for nothing: two look-ups and a comparison of times."""

    def __init__(
        self,
        codec: Codec,
        view: View,
        vocabulary: Vocabulary,
        sightings: Sightings,
        first_use: Callable[[str, Origin], Awaitable[None]],
        settle: Callable[[], Awaitable[None]],
    ) -> None:
        """`first_use` commits the retirement of a key's predecessor, before the key is let in for the first time;
        `settle` waits until all that is dead is dead everywhere.
        """
        self.vocabulary = vocabulary
        self._codec = codec
        self._view = view
        self._sightings = sightings
        self._first_use = first_use
        self.settle = settle
        self._admissions: OrderedDict[bytes, _Admission] = OrderedDict()

    async def admit(
        self,
        exchange: Exchange,
        headers: Sequence[tuple[bytes, bytes]],
        company_id: str | None,
        scopes: Sequence[str],
        only: TokenUse | None = None,
    ) -> Principal:
        """The principal of the request, noted in its exchange.

        `company_id` is the path's, or None where it has none; `scopes` are all required; with `only`, no other kind
        of token will do. Raises, in this order: `not_authenticated`, `invalid_token`, `service_unavailable` when
        neither can be told, `not_found` for a company that is not the principal's, `permission_denied`.
        """
        header = bearer.header(headers)
        fingerprint = blake2b(header).digest()
        admission = self._admissions.get(fingerprint)
        if admission is None:
            fingerprint, admission = self._verify(bearer.token(header))
        state = self._view.held(admission.credential_id) or await self._load(admission.claims, exchange)
        now = self._view.now()
        if admission.state is not state or admission.company_id != company_id or now >= admission.ends:
            ends = min(admission.claims.exp, state.expires_at)
            if now >= ends:
                raise self._dead(admission.claims, "retired" if state.retired else "expired", exchange)
            self._remember(fingerprint, admission)
            self._decide(admission, state, company_id, now, ends)
        else:
            self._admissions.move_to_end(fingerprint)
        principal = exchange.principal = admission.principal
        if only is not None and state.use is not only:
            raise permission_denied(cause="kind of token")
        if not principal.scopes.issuperset(scopes):
            raise insufficient_scope(scopes)
        if state.use is _API_KEY:
            if state.first_use:
                await self._first_use(state.credential_id, exchange.origin())
            self._sightings.used(state.credential_id, now)
            exchange.key_ends_in = admission.ends - now
        return principal

    def _verify(self, token: bytes) -> tuple[bytes, _Admission]:
        """A token has one place however its header was written: that of the usual spelling, which is found at once."""
        fingerprint = blake2b(b"Bearer " + token).digest()
        if (known := self._admissions.get(fingerprint)) is not None:
            return fingerprint, known
        try:
            claims = self._codec.decode(token.decode("ascii"))
        except UnicodeDecodeError:
            raise invalid_token("grammar") from None
        except TokenError as error:
            raise invalid_token(str(error)) from None
        return fingerprint, _Admission(claims, claims.credential_id)

    async def _load(self, claims: Claims, exchange: Exchange) -> State:
        reading = await self._view.load(claims.token_use, claims.credential_id)
        if reading.state is None:
            raise self._dead(claims, reading.cause, exchange)
        return reading.state

    def _remember(self, fingerprint: bytes, admission: _Admission) -> None:
        """Only what lives is worth a place: what is dead, tried again and again, can't push it out."""
        self._admissions[fingerprint] = admission
        self._admissions.move_to_end(fingerprint)
        if len(self._admissions) > _CAPACITY:
            self._admissions.popitem(last=False)

    def _decide(self, admission: _Admission, state: State, company_id: str | None, now: float, ends: int) -> None:
        """Whose the token is in this company, as of this state, and until when."""
        claims = admission.claims
        if claims.nbf is not None and now < claims.nbf:
            raise invalid_token("not yet valid")
        if claims.sub != state.user_id or claims.company_id != state.company_id:
            raise invalid_token("claims and credential differ")
        admission.principal = self._in_company(state, company_id, ends)
        admission.state, admission.company_id, admission.ends = state, company_id, ends

    def _in_company(self, state: State, company_id: str | None, expires_at: int) -> Principal:
        company = state.company_id if company_id is None else company_id
        role = None if company is None else state.roles.get(company)
        if company is not None and role is None:
            raise not_found("company")
        if role is None:
            scopes = self.vocabulary.everywhere
        else:
            allowed = self.vocabulary.allowed(role)
            given = allowed if state.scopes is None else state.scopes
            # Mostly it is what the state holds already.
            scopes = given if given <= allowed else given & allowed
        return Principal(
            state.user_id, company, role, state.credential_id, _TYPE[state.use], scopes, moment(expires_at)
        )

    def _dead(self, claims: Claims, cause: str, exchange: Exchange) -> Failure:
        if claims.token_use is TokenUse.API_KEY and cause != "unknown":
            target = Actor("api_key", claims.jti)
            self._sightings.key_denied(claims.jti, Origin(target, exchange.client, exchange.request_id))
        return invalid_token(cause)


def insufficient_scope(scopes: Sequence[str]) -> Failure:
    """403 with what would have been needed (RFC 6750 section 3.1), as far as it is the name of a scope at all:
    a proxy may ask for anything, and a header can't hold it.
    """
    named = [scope for scope in scopes if is_scope(scope)]
    if not named:
        return permission_denied(cause="scope")
    denied = permission_denied({"required_scopes": named}, cause="scope")
    denied.headers = {"WWW-Authenticate": f'Bearer realm="api", error="insufficient_scope", scope="{" ".join(named)}"'}
    return denied
