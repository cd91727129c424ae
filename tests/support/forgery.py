"""Tokens as an attacker, or another program with the key, would make them: any header, any payload, any signature."""

import base64
import json
import time
from typing import Any

import jwt

from keyhouse.db.base import new_id
from keyhouse.tokens import Claims, Key, TokenUse


def encode(data: Any) -> str:
    """base64url without padding, of bytes or of a JSON value."""
    raw = data if isinstance(data, bytes) else json.dumps(data, separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def header(key: Key, **more: Any) -> dict[str, Any]:
    """The header that our tokens of this key have, with more or other members."""
    return {"alg": key.algorithm, "kid": key.kid, "typ": "JWT", **more}


def signed(head: Any, payload: Any, key: Key) -> str:
    """A token of whatever header and payload, with a good signature by the key."""
    return signed_text(f"{encode(head)}.{encode(payload)}", key)


def signed_text(text: str, key: Key) -> str:
    algorithm: Any = jwt.get_algorithm_by_name(key.algorithm)
    return f"{text}.{encode(algorithm.sign(text.encode(), algorithm.prepare_key(key.signing)))}"


def claims(**more: Any) -> Claims:
    """Claims of an access token that lives for 15 minutes, of nobody in the database."""
    now = int(time.time())
    values: dict[str, Any] = {
        "iss": "keyhouse",
        "aud": "keyhouse",
        "sub": new_id(),
        "jti": new_id(),
        "iat": now,
        "exp": now + 900,
        "token_use": TokenUse.ACCESS,
        "scope": "datasets:read",
        "sid": new_id(),
        **more,
    }
    return Claims(**values)
