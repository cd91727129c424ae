"""Tokens that no verifier may take, made of a good one, and each with nothing else the matter."""

import hmac
import json
import time
from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from keyhouse.tokens import Claims, Codec, Key, KeyRing
from keyhouse.tokens.keys import generate_pem, key_from_pem
from support.forgery import encode, header, signed

_HOUR = 3600
_REQUIRED = ("iss", "aud", "exp", "sub", "token_use", "scope")


def hostile_tokens(codec: Codec, claims: Claims) -> dict[str, str]:
    """By what is wrong with them. `claims` are those of a good access token that `codec` signed."""
    key = codec.keys.signing
    now = int(time.time())
    payload = claims.payload()
    stranger = key_from_pem(generate_pem(key.algorithm).encode())
    head, body, signature = codec.encode(claims).split(".")
    altered = encode({**payload, "scope": f"{claims.scope} admin"})

    def without(name: str) -> dict[str, Any]:
        return {other: value for other, value in payload.items() if other != name}

    return {
        "expired": codec.encode(replace(claims, iat=now - _HOUR, exp=now - 1)),
        "not yet valid": codec.encode(replace(claims, nbf=now + _HOUR)),
        "wrong audience": codec.encode(replace(claims, aud="somebody-else")),
        "wrong issuer": codec.encode(replace(claims, iss="somebody-else")),
        "wrong signature": _by(replace(stranger, kid=key.kid), claims),
        "unknown key": _by(stranger, claims),
        "altered claims": f"{head}.{altered}.{signature}",
        "no signature": f"{head}.{body}.",
        "alg none": f"{encode({**header(key), 'alg': 'none'})}.{body}.",
        "alg none with a signature": f"{encode({**header(key), 'alg': 'none'})}.{body}.{signature}",
        "crit": signed(header(key, crit=["exp"], exp=1), payload, key),
        "crit null": signed(header(key, crit=None), payload, key),
        **{f"HS256 with the public key {form}": token for form, token in _confused(key, body).items()},
        **{f"no {name}": signed(header(key), without(name), key) for name in _REQUIRED},
        "exp as text": signed(header(key), {**payload, "exp": "tomorrow"}, key),
        "exp null": signed(header(key), {**payload, "exp": None}, key),
        "no object": signed(header(key), [payload], key),
        "no token": "this-is-no-token",
        "empty": "",
    }


def _by(key: Key, claims: Claims) -> str:
    return Codec(KeyRing.of(key), claims.iss, claims.aud).encode(claims)


def _confused(key: Key, body: str) -> dict[str, str]:
    """RFC 8725 section 2.1: the public key, which everybody has, taken for a secret."""
    text = f"{encode({**header(key), 'alg': 'HS256'})}.{body}"
    public: Any = key.verifying
    spelt = {
        "in PEM": public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo),
        "in DER": public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo),
        "as JWK": json.dumps(dict(key.public_jwk or {}), separators=(",", ":")).encode(),
    }
    return {form: f"{text}.{encode(hmac.digest(secret, text.encode(), 'sha256'))}" for form, secret in spelt.items()}
