"""From text to claims and back: a strict grammar, then PyJWT, then our own claim types.

Every entrance of a token (header, `revoke/`, `introspect/`) comes through `Codec.decode`, so that none is more
forgiving than another.
"""

import base64
import binascii
import json
import re
from typing import Any

import jwt

from keyhouse.tokens.claims import ClaimError, Claims, parse
from keyhouse.tokens.keys import Key, KeyRing

MAX_TOKEN_CHARACTERS = 8192
# RFC 8725 bis: nothing but letters, digits and `-_.`; a lone surrogate in the text would crash the library.
_GRAMMAR = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)", re.ASCII)
_HEADER = frozenset({"alg", "kid", "typ"})


class TokenError(ValueError):
    """The token is not ours. The message is for the log and names a cause, never the token."""


class Codec:
    """Signs and verifies the tokens of one deployment."""

    def __init__(self, keys: KeyRing, issuer: str, audience: str) -> None:
        self.keys = keys
        self._issuer = issuer
        self._audience = audience
        # All tokens of one key begin with one literal string; knowing it saves parsing the header again.
        self._headers: dict[str, Key] = {_header_segment(key): key for key in keys.by_kid.values()}

    @property
    def issuer(self) -> str:
        return self._issuer

    @property
    def audience(self) -> str:
        return self._audience

    def encode(self, claims: Claims) -> str:
        """The signed token of these claims, by the signing key."""
        key = self.keys.signing
        return jwt.encode(
            claims.payload(),
            key.signing or b"",
            algorithm=key.algorithm,
            headers={"kid": key.kid},
            sort_headers=True,
        )

    def decode(self, text: str) -> Claims:
        """The claims of a token that one of our keys signed; raises `TokenError` for any other text.

        Says nothing about whether it has expired or is still live.
        """
        if len(text) > MAX_TOKEN_CHARACTERS:
            raise TokenError("too long")
        match = _GRAMMAR.fullmatch(text)
        if match is None:
            raise TokenError("grammar")
        header, payload, signature = match.groups()
        key = self._headers.get(header) or self._key_of(header)
        _canonical(signature)
        try:
            jwt.decode(text, key.verifying, algorithms=[key.algorithm], options=_SIGNATURE_ALONE)
        except Exception as error:  # noqa: BLE001 - whatever a verifier trips over, nobody gets in
            raise TokenError(f"signature: {type(error).__name__}") from None
        try:
            return parse(_json_object(_canonical(payload)), self._issuer, self._audience)
        except ClaimError as error:
            raise TokenError(f"claims: {error}") from None

    def _key_of(self, segment: str) -> Key:
        """The key that a header names: `alg` as the key has it, nothing that asks for more (`crit`, `jku`, `b64`)."""
        header = _json_object(_canonical(segment))
        kid = header.get("kid")
        key = self.keys.by_kid.get(kid) if isinstance(kid, str) else None
        if key is None:
            raise TokenError("kid")
        if header.get("alg") != key.algorithm:
            raise TokenError("alg")
        if header.keys() != _HEADER or header["typ"] != "JWT":
            raise TokenError("header")
        return key


# We check these ourselves, and by the database's clock.
_SIGNATURE_ALONE: Any = {
    "verify_signature": True,
    "verify_exp": False,
    "verify_nbf": False,
    "verify_iat": False,
    "verify_aud": False,
    "verify_iss": False,
    "verify_sub": False,
    "verify_jti": False,
    "enforce_minimum_key_length": False,
}


def _header_segment(key: Key) -> str:
    header = json.dumps({"alg": key.algorithm, "kid": key.kid, "typ": "JWT"}, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(header).rstrip(b"=").decode()


def _canonical(segment: str) -> bytes:
    """The bytes of a segment in its one spelling: spare bits at the end would give a token a second text."""
    try:
        data = base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4))
    except binascii.Error:
        raise TokenError("base64") from None
    if base64.urlsafe_b64encode(data).rstrip(b"=").decode() != segment:
        raise TokenError("base64")
    return data


def _json_object(data: bytes) -> dict[str, Any]:
    """A JSON object in UTF-8 whose names are different (RFC 7519 section 4)."""
    try:
        value = json.loads(data.decode("utf-8", "strict"), object_pairs_hook=_unique)
    except (ValueError, RecursionError):
        raise TokenError("json") from None
    if not isinstance(value, dict):
        raise TokenError("json")
    return value


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) != len(pairs):
        raise ValueError("duplicate name")
    return value
