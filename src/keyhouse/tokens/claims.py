"""The claims of our tokens (RFC 7519 section 4), typed by us: the libraries take `exp` as " 9_999 " and as 10^400."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from sys import intern
from typing import Any, NoReturn

from keyhouse.db.base import is_id

_SCOPE = re.compile(r"(?:[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*)?")
_LATEST = 1 << 53
# The same in many tokens, of which a worker remembers thousands.
_SHARED = ("sub", "scope", "company_id")
_COMMON = ("iss", "aud", "sub", "jti", "iat", "exp", "token_use", "scope")


class TokenUse(StrEnum):
    """The two kinds of token; one is never taken for the other (RFC 8725 section 3.12)."""

    ACCESS = "access"
    API_KEY = "api_key"


class ClaimError(ValueError):
    """Why a token's claims are not ours, in a word for the log."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What a token of ours says. Times are seconds since 1970.

    `sid` is the session of an access token, `company_id` the company of an API key; each is None in the other kind.
    """

    iss: str
    aud: str
    sub: str
    jti: str
    iat: int
    exp: int
    token_use: TokenUse
    scope: str
    sid: str | None = None
    company_id: str | None = None
    nbf: int | None = None

    @property
    def credential_id(self) -> str:
        """The stored credential behind the token: an API key's id, or an access token's session."""
        return self.jti if self.token_use is TokenUse.API_KEY else self.sid or ""

    def payload(self) -> dict[str, str | int]:
        """As a JSON object, without the claims of the other kind."""
        names = ("iss", "aud", "sub", "jti", "iat", "exp", "token_use", "scope", "sid", "company_id", "nbf")
        return {name: str(v) if name == "token_use" else v for name in names if (v := getattr(self, name)) is not None}


def parse(payload: Mapping[str, Any], issuer: str, audience: str) -> Claims:
    """Claims from a decoded object. Raises `ClaimError` for one that is missing, of a wrong type or not ours.

    Of time only the form is checked: whether a token has expired is for the database's clock to say.
    """
    use = payload.get("token_use")
    own = ("sid",) if use == TokenUse.ACCESS else ("company_id",) if use == TokenUse.API_KEY else _fail("token_use")
    for name in (*_COMMON, *own):
        if name not in payload:
            _fail(f"{name} missing")
    if payload["iss"] != issuer:
        _fail("iss")
    if payload["aud"] != audience:
        _fail("aud")
    for name in ("sub", "jti", *own):
        if not is_id(payload[name]):
            _fail(name)
    scope = payload["scope"]
    if not isinstance(scope, str) or not _SCOPE.fullmatch(scope):
        _fail("scope")
    for name in ("iat", "exp", "nbf"):
        value = payload.get(name, 1)
        if type(value) is not int or not 0 < value < _LATEST:
            _fail(name)
    # RFC 7519 section 4: claims that are not understood are ignored, those of the other kind among them.
    known = {name: payload[name] for name in (*_COMMON, *own, "nbf") if name in payload}
    known.update({name: intern(known[name]) for name in _SHARED if name in known})
    return Claims(**{**known, "iss": issuer, "aud": audience, "token_use": TokenUse(str(use))})


def _fail(cause: str) -> NoReturn:
    raise ClaimError(cause)
