"""One test for each class of advisory on PyJWT and its kin: what was once let in is refused here."""

import hashlib
import hmac
import json
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from keyhouse.db.base import new_id
from keyhouse.tokens import Codec, Key, KeyRing
from keyhouse.tokens.codec import TokenError
from keyhouse.tokens.keys import generate_pem, key_from_pem, secret_key
from support.forgery import claims, encode, header, signed, signed_text
from support.world import SECRET

HS256 = secret_key(SECRET)
ED25519 = key_from_pem(generate_pem("EdDSA").encode())
CODEC = Codec(KeyRing.of(ED25519, HS256), "keyhouse", "keyhouse")
CLAIMS = claims()


def _refused(text: str, why: str) -> None:
    with pytest.raises(TokenError, match=why):
        CODEC.decode(text)


@pytest.mark.parametrize("name", ["none", "None", "NONE", "nOnE", "", None])
@pytest.mark.parametrize("key", [HS256, ED25519], ids=["HS256", "EdDSA"])
def test_alg_none(key: Key, name: str | None) -> None:
    """CVE-2015-9235 and its kin: a token that says it needs no signature."""
    text = f"{encode(header(key, alg=name))}.{encode(CLAIMS.payload())}"
    _refused(f"{text}.", "grammar")
    _refused(f"{text}.{encode(b'x')}", "^alg$")
    _refused(f"{text}.{CODEC.encode(CLAIMS).rpartition('.')[2]}", "^alg$")


@pytest.mark.parametrize("form", ["PEM", "DER", "OpenSSH", "Raw"])
def test_key_confusion(form: str) -> None:
    """CVE-2017-11424, CVE-2022-29217: the public key, which everybody has, as the secret of an HMAC."""
    public: Any = ED25519.verifying
    kind = form if form in {"OpenSSH", "Raw"} else "SubjectPublicKeyInfo"
    material = public.public_bytes(getattr(serialization.Encoding, form), getattr(serialization.PublicFormat, kind))
    confused = Key(ED25519.kid, "HS256", material, material)
    _refused(_forged(header(ED25519, alg="HS256"), confused), "^alg$")
    _refused(_forged(header(ED25519), confused), "^signature: ")


def _forged(head: dict[str, Any], key: Key) -> str:
    """Signed by the bare HMAC: PyJWT would not take a public key for it, an attacker does."""
    text = f"{encode(head)}.{encode(CLAIMS.payload())}"
    return f"{text}.{encode(hmac.digest(bytes(key.signing), text.encode(), hashlib.sha256))}"  # type: ignore[arg-type]


def test_the_algorithm_belongs_to_the_key() -> None:
    """RFC 8725 section 3.1: each key of a ring verifies with its own algorithm alone, whatever a token asks for."""
    for alg in ("HS384", "HS512", "RS256", "ES256", "EdDSA", "hs256"):
        _refused(signed(header(HS256, alg=alg), CLAIMS.payload(), HS256), "^alg$")


def test_the_kid_of_one_key_with_the_signature_of_another() -> None:
    _refused(signed(header(HS256), CLAIMS.payload(), ED25519), "^signature: ")
    _refused(signed(header(ED25519), CLAIMS.payload(), HS256), "^signature: ")


@pytest.mark.parametrize(
    "kid",
    [
        "",
        "kh-",
        "../../../../dev/null",
        "' UNION SELECT 'x",
        "https://evil.example/key",
        None,
        0,
        [HS256.kid],
        {"kid": HS256.kid},
        HS256.kid.upper(),
        HS256.kid + "\x00",
    ],
)
def test_a_kid_that_is_none_of_ours(kid: Any) -> None:
    """CVE-2018-0114 and its kin: `kid` is looked up in a dictionary, never in a file, a query or a URL."""
    _refused(signed(header(HS256, kid=kid), CLAIMS.payload(), HS256), "^kid$")


@pytest.mark.parametrize(
    "more",
    [
        {"crit": ["exp"]},
        {"crit": []},
        {"crit": None},
        {"crit": [1]},
        {"crit": [{}]},
        {"crit": ["b64"], "b64": False},
        {"b64": False},
        {"jwk": {"kty": "oct", "k": encode(b"x")}},
        {"jku": "https://evil.example/jwks.json"},
        {"x5u": "https://evil.example/cert"},
        {"x5c": ["MIIB"]},
        {"zip": "DEF"},
        {"enc": "A128GCM"},
        {"cty": "JWT"},
        {"typ": "at+jwt"},
        {"typ": "jwt"},
        {"typ": None},
    ],
)
def test_a_header_that_asks_for_more(more: dict[str, Any]) -> None:
    """GHSA-752w-5fwx-jx9f (`crit` not understood and yet accepted), and keys that a token brings along."""
    _refused(signed(header(HS256, **more), CLAIMS.payload(), HS256), "^header$")


@pytest.mark.parametrize("head", [[], [header(HS256)], "text", None, 7, True])
def test_a_header_that_is_no_object(head: Any) -> None:
    _refused(signed(head, CLAIMS.payload(), HS256), "^json$")


def test_a_header_with_one_name_twice() -> None:
    """Two readers could each take another `alg`."""
    plain = json.dumps(header(HS256))
    for twice in ('{"alg":"none",' + plain[1:], plain[:-1] + ',"alg":"HS256"}'):
        _refused(signed_text(f"{encode(twice.encode())}.{encode(CLAIMS.payload())}", HS256), "^json$")


@pytest.mark.parametrize("name", ["alg", "kid", "typ"])
def test_a_header_that_lacks_a_member(name: str) -> None:
    head = {key: value for key, value in header(HS256).items() if key != name}
    _refused(signed(head, CLAIMS.payload(), HS256), {"alg": "^alg$", "kid": "^kid$", "typ": "^header$"}[name])


@pytest.mark.parametrize("issuer", ["key", "house", "", "keyhouse.evil", ["keyhouse"], "KEYHOUSE"])
def test_an_issuer_that_is_only_like_ours(issuer: Any) -> None:
    """CVE-2024-53861: `iss` was looked for inside the expected one."""
    _refused(signed(header(HS256), {**CLAIMS.payload(), "iss": issuer}, HS256), "^claims: iss$")


@pytest.mark.parametrize("audience", [["keyhouse", "evil"], ["keyhouse"], "evil", "", None])
def test_an_audience_that_is_only_like_ours(audience: Any) -> None:
    _refused(signed(header(HS256), {**CLAIMS.payload(), "aud": audience}, HS256), "^claims: aud$")


@pytest.mark.parametrize("value", ["9999999999", " 9_999_999_999 ", "\u0661\u0662", 10**400, 1e10, True, None, [], -1])
def test_an_expiry_that_python_takes_for_a_number(value: Any) -> None:
    for name in ("exp", "iat", "nbf"):
        _refused(
            signed(header(HS256), {**CLAIMS.payload(), name: value}, HS256), rf"^(claims: {name}|signature: \w+|json)$"
        )


def test_the_signature_of_another_token() -> None:
    first, second = CODEC.encode(CLAIMS), CODEC.encode(claims(sub=new_id()))
    _refused(first.rpartition(".")[0] + "." + second.rpartition(".")[2], "^signature: InvalidSignatureError$")


def test_a_signature_cut_short() -> None:
    """CVE-2022-21449 and its kin: an empty, zero or truncated signature."""
    text = CODEC.encode(CLAIMS).rpartition(".")[0]
    for length in (1, 16, 31, 63):
        _refused(f"{text}.{encode(bytes(length))}", "^signature: InvalidSignatureError$")
    es256 = key_from_pem(generate_pem("ES256").encode())
    codec = Codec(KeyRing.of(es256), "keyhouse", "keyhouse")
    zero = f"{codec.encode(CLAIMS).rpartition('.')[0]}.{encode(bytes(64))}"
    with pytest.raises(TokenError, match=r"^signature: InvalidSignatureError$"):
        codec.decode(zero)
