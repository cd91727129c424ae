"""Examples of the RFCs, through the keys and the codec of Keyhouse."""

import base64
import json
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography.hazmat.primitives import serialization
from jwt.algorithms import get_default_algorithms

from keyhouse.tokens import Codec, Key, KeyRing
from keyhouse.tokens.codec import TokenError
from keyhouse.tokens.keys import key_from_pem

VECTORS: dict[str, dict[str, Any]] = json.loads(Path(__file__).with_name("vectors.json").read_text())
SIGNED = [name for name, vector in VECTORS.items() if "token" in vector]
PRINTED = [name for name, vector in VECTORS.items() if "thumbprint" in vector]


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def _pem(vector: dict[str, Any]) -> bytes:
    """The JWK of a vector as an operator would keep it."""
    loaded: Any = get_default_algorithms()[vector["algorithm"]].from_jwk(vector["jwk"])
    if "d" in vector["jwk"]:
        return bytes(
            loaded.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
    return bytes(
        loaded.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo),
    )


def _key(vector: dict[str, Any]) -> Key:
    if vector["algorithm"] == "HS256":
        secret = _bytes(vector["jwk"]["k"])
        return Key("kh-vector", "HS256", secret, secret)
    return key_from_pem(_pem(vector))


@pytest.mark.parametrize("name", SIGNED)
def test_the_signature_of_the_rfc_verifies_with_the_key_as_it_is_read_from_pem(name: str) -> None:
    vector = VECTORS[name]
    key = _key(vector)
    assert key.algorithm == vector["algorithm"]
    payload = jwt.PyJWS().decode(vector["token"], key.verifying, algorithms=[key.algorithm])
    assert payload == _bytes(vector["token"].split(".")[1])


@pytest.mark.parametrize("name", [name for name in SIGNED if VECTORS[name]["deterministic"]])
def test_our_key_makes_the_signature_of_the_rfc(name: str) -> None:
    vector = VECTORS[name]
    key = _key(vector)
    signed, _, signature = vector["token"].rpartition(".")
    algorithm: Any = get_default_algorithms()[key.algorithm]
    assert algorithm.sign(signed.encode(), algorithm.prepare_key(key.signing)) == _bytes(signature)


@pytest.mark.parametrize("name", SIGNED)
def test_a_good_signature_alone_is_no_token_of_ours(name: str) -> None:
    """None of the RFCs' tokens names a `kid`, so no key of ours is even tried."""
    codec = Codec(KeyRing.of(_key(VECTORS[name])), "joe", "keyhouse")
    with pytest.raises(TokenError, match=r"^kid$"):
        codec.decode(VECTORS[name]["token"])


@pytest.mark.parametrize("name", PRINTED)
def test_kid_is_the_thumbprint_of_the_rfc(name: str) -> None:
    key = key_from_pem(_pem(VECTORS[name]))
    assert key.kid == "kh-" + VECTORS[name]["thumbprint"]
    jwk = key.public_jwk or {}
    assert {member: jwk[member] for member in VECTORS[name]["jwk"] if member != "d"} == {
        member: value for member, value in VECTORS[name]["jwk"].items() if member != "d"
    }
    assert "d" not in jwk
