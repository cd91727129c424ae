"""Tokens as somebody without the key can make them, out of a good one."""

import base64
import json
from collections.abc import Mapping
from typing import Any

from keyhouse.conformance.answer import Mismatch

# A good guess at nothing: no signature is made of these bytes alone.
_NO_SIGNATURE = base64.urlsafe_b64encode(bytes(32)).rstrip(b"=").decode()


def parts(token: str) -> tuple[dict[str, Any], dict[str, Any]]:
    """Header and claims of a token, unverified. Raises `Mismatch` for what is no JWT."""
    try:
        header, claims, _ = token.split(".")
        found = json.loads(_decode(header)), json.loads(_decode(claims))
    except ValueError:
        raise Mismatch("the token", "three parts in base64url, the first two JSON objects", "another text") from None
    if not all(isinstance(part, dict) for part in found):
        raise Mismatch("the token", "a header and claims that are JSON objects", "others")
    return found


def header_text(token: str) -> str:
    """The header as it was written."""
    return _decode(token.partition(".")[0]).decode("utf-8", "replace")


def altered_signature(token: str) -> str:
    """One character of the signature changed, where all of its bits count."""
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' if signature[:1] != 'A' else 'B'}{signature[1:]}"


def altered_claims(token: str, **claims: Any) -> str:
    """Other claims under the same signature."""
    header, payload = parts(token)
    return f"{encode(header)}.{encode({**payload, **claims})}.{token.rpartition('.')[2]}"


def altered_header(token: str, **header: Any) -> str:
    """Another header under the same signature."""
    found, claims = parts(token)
    return f"{encode({**found, **header})}.{encode(claims)}.{token.rpartition('.')[2]}"


def unsigned(token: str, algorithm: str = "none") -> str:
    """The same claims with no signature at all (RFC 7519 section 6)."""
    header, claims = parts(token)
    return f"{encode({**header, 'alg': algorithm})}.{encode(claims)}."


def by_nobody(header: Mapping[str, Any], claims: Mapping[str, Any]) -> str:
    """Any header and claims, with a signature that no key made."""
    return f"{encode(header)}.{encode(claims)}.{_NO_SIGNATURE}"


def encode(value: Mapping[str, Any]) -> str:
    """A JSON object as a part of a token."""
    return base64.urlsafe_b64encode(json.dumps(value, separators=(",", ":")).encode()).rstrip(b"=").decode()


def _decode(part: str) -> bytes:
    return base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))
