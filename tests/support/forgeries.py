"""Every token that is none of ours, each made of a good one and different from it in the one respect it names."""

import base64
import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from cryptography.hazmat.primitives import serialization

from keyhouse.db.base import new_id
from keyhouse.tokens import Key
from keyhouse.tokens.keys import secret_key
from support.forgery import encode, header, signed, signed_text

_STRANGE_SECRET = "nobody-configured-this-Secret-0123456789"


@dataclass(frozen=True, slots=True)
class Good:
    """A good token in its parts, and the moment (seconds since 1970) at which it is tried."""

    key: Key
    payload: dict[str, Any]
    now: int

    @property
    def head(self) -> dict[str, Any]:
        return header(self.key)

    @property
    def text(self) -> str:
        return signed(self.head, self.payload, self.key)

    @property
    def parts(self) -> list[str]:
        return self.text.split(".")

    def with_head(self, **more: Any) -> str:
        """With more or other members in its header, signed as it should be."""
        return signed({**self.head, **more}, self.payload, self.key)

    def without_head(self, name: str) -> str:
        return signed({n: v for n, v in self.head.items() if n != name}, self.payload, self.key)

    def raw_head(self, text: str) -> str:
        return signed(text.encode(), self.payload, self.key)

    def with_claims(self, **more: Any) -> str:
        return signed(self.head, {**self.payload, **more}, self.key)

    def without_claim(self, name: str) -> str:
        return signed(self.head, {n: v for n, v in self.payload.items() if n != name}, self.key)

    def raw_claim(self, name: str, text: str) -> str:
        """With the claim's value in these very characters of JSON."""
        return self.raw_payload(json.dumps({**self.payload, name: "\0"}).replace('"\\u0000"', text))

    def raw_payload(self, text: str | bytes) -> str:
        return signed(self.head, text if isinstance(text, bytes) else text.encode(), self.key)


Forge = Callable[[Good], str]
_BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def _same_bytes(segment: str) -> str:
    """Another spelling of the same bytes: the spare bits of the last character are set."""
    spare = {2: 4, 3: 2}[len(segment) % 4]
    return segment[:-1] + _BASE64URL[_BASE64URL.index(segment[-1]) | ((1 << spare) - 1)]


def _respelled(good: Good) -> str:
    """In whichever segment has spare bits, the payload padded until it has; the signature fits the new text."""
    payload = dict(good.payload)
    while len(encode(payload)) % 4 not in {2, 3} or _same_bytes(encode(payload)) == encode(payload):
        payload["pad"] = payload.get("pad", "") + "x"
    return signed_text(f"{encode(good.head)}.{_same_bytes(encode(payload))}", good.key)


def _public_key_as_secret(good: Good, form: serialization.Encoding) -> str:
    """HS256 with what everybody can read as its secret (RFC 8725 section 2.1); of a secret, with its name."""
    if isinstance(good.key.verifying, bytes):
        secret = good.key.kid.encode()
    else:
        secret = good.key.verifying.public_bytes(form, serialization.PublicFormat.SubjectPublicKeyInfo)
    text = f"{encode({**good.head, 'alg': 'HS256'})}.{encode(good.payload)}"
    return f"{text}.{encode(hmac.digest(secret, text.encode(), hashlib.sha256))}"


def _hmac(good: Good, algorithm: str) -> str:
    """By another HMAC, of the right secret if there is one."""
    secret = good.key.verifying if isinstance(good.key.verifying, bytes) else b""
    text = f"{encode({**good.head, 'alg': algorithm})}.{encode(good.payload)}"
    return f"{text}.{encode(hmac.digest(secret, text.encode(), f'sha{algorithm[2:]}'))}"


def _flipped(segment: str) -> str:
    data = bytearray(base64.urlsafe_b64decode(segment + "=" * (-len(segment) % 4)))
    data[0] ^= 1
    return encode(bytes(data))


def _strange(good: Good, kid: str) -> str:
    """Signed by a key that nobody configured."""
    return signed({"alg": "HS256", "kid": kid, "typ": "JWT"}, good.payload, secret_key(_STRANGE_SECRET))


OF_TEXT: dict[str, Forge] = {
    "one character": lambda good: good.text[:1],
    "one dot less": lambda good: ".".join(good.parts[:2]),
    "one segment more": lambda good: f"{good.text}.x",
    "five segments": lambda good: f"{good.text}.x.x",
    "a dot at the end": lambda good: f"{good.text}.",
    "no header": lambda good: ".".join(["", *good.parts[1:]]),
    "no payload": lambda good: f"{good.parts[0]}..{good.parts[2]}",
    "no signature": lambda good: f"{good.parts[0]}.{good.parts[1]}.",
    "padding at the end": lambda good: f"{good.text}=",
    "padding of the payload": lambda good: f"{good.parts[0]}.{good.parts[1]}=.{good.parts[2]}",
    "another spelling of the same bytes": _respelled,
    "another spelling of the signature": lambda good: (
        ".".join([*good.parts[:2], _same_bytes(good.parts[2])]) if len(good.parts[2]) % 4 else f"{good.text}A"
    ),
    "base64 instead of base64url": lambda good: f"{good.text[:-2]}+/",
    "a space within": lambda good: f"{good.text[:40]} {good.text[40:]}",
    "a control character within": lambda good: f"{good.text[:40]}\x01{good.text[40:]}",
    "quoted": lambda good: f'"{good.text}"',
    "another token behind a comma": lambda good: f"{good.text},{good.text}",
    "over 8 KiB": lambda good: good.with_claims(pad="x" * 8192),
    "a signature bit flipped": lambda good: ".".join([*good.parts[:2], _flipped(good.parts[2])]),
    "a signature cut short": lambda good: good.text[:-4],
    "a signature made longer": lambda good: f"{good.text}AAAA",
    "another payload under the signature": lambda good: ".".join(
        [good.parts[0], encode({**good.payload, "exp": good.payload["exp"] + 1}), good.parts[2]]
    ),
    "JSON in a general serialization": lambda good: json.dumps({"payload": good.parts[1], "signatures": []}),
}
OF_HEADER: dict[str, Forge] = {
    "alg none": lambda good: f"{encode({**good.head, 'alg': 'none'})}.{good.parts[1]}.",
    "alg none with its signature": lambda good: good.with_head(alg="none"),
    "alg NONE": lambda good: f"{encode({**good.head, 'alg': 'NONE'})}.{good.parts[1]}.{good.parts[2]}",
    "alg in another case": lambda good: good.with_head(alg=good.key.algorithm.swapcase()),
    "alg null": lambda good: good.with_head(alg=None),
    "alg a list": lambda good: good.with_head(alg=[good.key.algorithm]),
    "alg missing": lambda good: good.without_head("alg"),
    "HS256 with the public key in PEM": lambda good: _public_key_as_secret(good, serialization.Encoding.PEM),
    "HS256 with the public key in DER": lambda good: _public_key_as_secret(good, serialization.Encoding.DER),
    "HS384": lambda good: _hmac(good, "HS384"),
    "HS512": lambda good: _hmac(good, "HS512"),
    "another algorithm named": lambda good: good.with_head(alg="ES256" if good.key.algorithm != "ES256" else "EdDSA"),
    "kid unknown": lambda good: good.with_head(kid="kh-unknown"),
    "kid of a stranger's key": lambda good: _strange(good, secret_key(_STRANGE_SECRET).kid),
    "a stranger's key under our kid": lambda good: _strange(good, good.key.kid),
    "kid missing": lambda good: good.without_head("kid"),
    "kid null": lambda good: good.with_head(kid=None),
    "kid a list": lambda good: good.with_head(kid=[good.key.kid]),
    "kid an object": lambda good: good.with_head(kid={"kid": good.key.kid}),
    "kid a path": lambda good: good.with_head(kid="../../../../dev/null"),
    "typ missing": lambda good: good.without_head("typ"),
    "typ another": lambda good: good.with_head(typ="at+jwt"),
    "typ null": lambda good: good.with_head(typ=None),
    "crit null": lambda good: good.with_head(crit=None),
    "crit empty": lambda good: good.with_head(crit=[]),
    "crit a list": lambda good: good.with_head(crit=["exp"]),
    "crit a list of a number": lambda good: good.with_head(crit=[1]),
    "crit a list of an object": lambda good: good.with_head(crit=[{}]),
    "crit an object": lambda good: good.with_head(crit={"exp": True}),
    "jku": lambda good: good.with_head(jku="https://attacker.example/jwks.json"),
    "jwk": lambda good: good.with_head(jwk={"kty": "oct", "k": encode(b"k" * 32)}),
    "x5u": lambda good: good.with_head(x5u="https://attacker.example/key.pem"),
    "b64": lambda good: good.with_head(b64=False, crit=["b64"]),
    "zip": lambda good: good.with_head(zip="DEF"),
    "a name twice": lambda good: good.raw_head(f'{{"alg":"none",{json.dumps(good.head)[1:]}'),
    "a list": lambda good: good.raw_head("[]"),
    "a string": lambda good: good.raw_head('"x"'),
    "null": lambda good: good.raw_head("null"),
    "not JSON": lambda good: good.raw_head("{"),
    "nested deeply": lambda good: good.raw_head("[" * 5000),
    "UTF-16": lambda good: signed(json.dumps(good.head).encode("utf-16"), good.payload, good.key),
    "a lone surrogate": lambda good: good.with_head(kid="\ud800"),
}
TIMES: dict[str, str] = {
    "a string": '"9999999999"',
    "a string with spaces": '" 9_999_999_999 "',
    "Arabic digits": '"\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669\u0669"',
    "true": "true",
    "null": "null",
    "a float": "9999999999.5",
    "a whole float": "9999999999.0",
    "an exponent": "1e10",
    "infinite": "1e400",
    "Infinity": "Infinity",
    "NaN": "NaN",
    "10^400": "1" + "0" * 400,
    "5,000 digits": "9" * 5000,
    "2^53": str(1 << 53),
    "2^63": str(1 << 63),
    "negative": "-1",
    "zero": "0",
    "a list": "[9999999999]",
    "an object": "{}",
}
_OTHER_TYPES: dict[str, Any] = {
    "null": None,
    "a number": 1,
    "a list": ["x"],
    "an object": {},
    "empty": "",
    "true": True,
}


def of_claims(good: Good) -> dict[str, Forge]:
    """For each claim of this kind of token: missing, of each wrong type, another's."""
    made: dict[str, Forge] = {}
    for name in good.payload:
        made[f"{name} missing"] = lambda good, name=name: good.without_claim(name)  # type: ignore[misc]
        if name in {"iat", "exp"}:
            continue
        for kind, value in _OTHER_TYPES.items():
            if (name, kind) != ("scope", "empty"):
                made[f"{name} {kind}"] = lambda good, n=name, v=value: good.with_claims(**{n: v})  # type: ignore[misc]
        if name not in {"token_use", "scope"}:
            made[f"{name} in a list"] = lambda good, n=name: good.with_claims(**{n: [good.payload[n]]})  # type: ignore[misc]
    for name in ("iat", "exp", "nbf"):
        for kind, text in TIMES.items():
            made[f"{name} {kind}"] = lambda good, n=name, t=text: good.raw_claim(n, t)  # type: ignore[misc]
    # The access token's jti stands for nothing that is stored.
    stored = "sid" if "sid" in good.payload else "jti"
    made |= {
        "exp is now": lambda good: good.with_claims(exp=good.now),
        "exp has passed": lambda good: good.with_claims(exp=good.now - 1),
        "nbf in the future": lambda good: good.with_claims(nbf=good.now + 60),
        "iss another": lambda good: good.with_claims(iss="another"),
        "iss in another case": lambda good: good.with_claims(iss="Keyhouse"),
        "aud another": lambda good: good.with_claims(aud="another"),
        "aud a list with ours": lambda good: good.with_claims(aud=["another", "keyhouse"]),
        "sub another": lambda good: good.with_claims(sub=new_id()),
        "sub in upper case": lambda good: good.with_claims(sub=good.payload["sub"].upper()),
        f"{stored} unknown": lambda good: good.with_claims(**{stored: new_id()}),
        f"{stored} in upper case": lambda good: good.with_claims(**{stored: good.payload[stored].upper()}),
        "scope with two spaces": lambda good: good.with_claims(scope="datasets:read  datasets:write"),
        "scope with a quote": lambda good: good.with_claims(scope='datasets:read"'),
        "token_use of the other kind": lambda good: good.with_claims(
            token_use="access" if good.payload["token_use"] == "api_key" else "api_key"
        ),
        "token_use of the other kind, and its claims": lambda good: good.with_claims(
            **{"token_use": "access", "sid": good.payload["jti"]}
            if good.payload["token_use"] == "api_key"
            else {"token_use": "api_key", "jti": good.payload["sid"], "company_id": new_id()}
        ),
        "token_use of no kind": lambda good: good.with_claims(token_use="refresh"),
        "a name twice": lambda good: good.raw_payload(f'{{"exp":1,{json.dumps(good.payload)[1:]}'),
        "payload a list": lambda good: good.raw_payload(json.dumps([good.payload])),
        "payload a string": lambda good: good.raw_payload('"x"'),
        "payload not JSON": lambda good: good.raw_payload("{"),
        "payload with a BOM": lambda good: good.raw_payload(b"\xef\xbb\xbf" + json.dumps(good.payload).encode()),
        "payload in UTF-16": lambda good: good.raw_payload(json.dumps(good.payload).encode("utf-16")),
        "payload in UTF-32": lambda good: good.raw_payload(json.dumps(good.payload).encode("utf-32-le")),
        "payload not in UTF-8": lambda good: good.raw_payload(b'{"x":"\xff",' + json.dumps(good.payload).encode()[1:]),
        "payload nested deeply": lambda good: good.raw_payload('{"x":' + "[" * 5000),
    }
    if good.payload["token_use"] == "api_key":
        made["company_id another"] = lambda good: good.with_claims(company_id=new_id())
    return made
