"""Key files, `kid`, the JWK Set, and which key signs."""

import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa, x25519

from keyhouse import Settings
from keyhouse.settings import ConfigurationError
from keyhouse.tokens import KeyRing
from keyhouse.tokens.keys import Algorithm, generate_pem, key_from_file, key_from_pem, secret_key
from support.world import SECRET

OTHER_SECRET = "another-9Hq2vLx7TzK4mWb8Rs1Yc6Nd3Jf5Gp0"
ALGORITHMS: tuple[Algorithm, ...] = ("EdDSA", "ES256", "RS256")


@pytest.fixture(scope="module")
def private_pems() -> dict[str, str]:
    return {algorithm: generate_pem(algorithm) for algorithm in ALGORITHMS}


def _public_pem(private_pem: str) -> bytes:
    private: Any = serialization.load_pem_private_key(private_pem.encode(), None)
    return bytes(
        private.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )


def _pem(private: Any, form: str = "PKCS8", encryption: Any = None) -> bytes:
    return bytes(
        private.private_bytes(
            serialization.Encoding.PEM,
            getattr(serialization.PrivateFormat, form),
            encryption or serialization.NoEncryption(),
        )
    )


def _settings(**values: Any) -> Settings:
    return Settings(_env_file=None, **{"secret_key": None, **values})


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_a_generated_key_is_pkcs8_and_reads_back_as_its_algorithm(private_pems: dict[str, str], algorithm: str) -> None:
    pem = private_pems[algorithm]
    assert pem.startswith("-----BEGIN PRIVATE KEY-----\n")
    key = key_from_pem(pem.encode())
    assert key.algorithm == algorithm
    assert key.signing is not None


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_the_public_half_verifies_under_the_same_kid_and_signs_nothing(
    private_pems: dict[str, str], algorithm: str
) -> None:
    private, public = key_from_pem(private_pems[algorithm].encode()), key_from_pem(_public_pem(private_pems[algorithm]))
    assert (public.kid, public.algorithm, public.public_jwk) == (private.kid, private.algorithm, private.public_jwk)
    assert public.signing is None


@pytest.mark.parametrize(
    ("private", "form"),
    [
        (ec.generate_private_key(ec.SECP256R1()), "TraditionalOpenSSL"),
        (rsa.generate_private_key(public_exponent=65537, key_size=2048), "TraditionalOpenSSL"),
    ],
    ids=["SEC 1", "PKCS 1"],
)
def test_the_older_pem_forms_are_read_too(private: Any, form: str) -> None:
    old, new = key_from_pem(_pem(private, form)), key_from_pem(_pem(private))
    assert (old.kid, old.algorithm, old.public_jwk) == (new.kid, new.algorithm, new.public_jwk)
    assert old.signing is not None


def _bad_files() -> dict[str, bytes]:
    ed25519_key = ed25519.Ed25519PrivateKey.generate()
    return {
        "encrypted": _pem(ed25519_key, encryption=serialization.BestAvailableEncryption(b"passphrase")),
        "P-384": _pem(ec.generate_private_key(ec.SECP384R1())),
        "public P-384": _public_pem(_pem(ec.generate_private_key(ec.SECP384R1())).decode()),
        "RSA of 1024 bits": _pem(rsa.generate_private_key(public_exponent=65537, key_size=1024)),  # noqa: S505 - that is the point
        "X25519": _pem(x25519.X25519PrivateKey.generate()),
        "public Ed448": _public_pem(_pem(ed448.Ed448PrivateKey.generate()).decode()),
        "DSA": _pem(dsa.generate_private_key(2048)),
        "OpenSSH": _pem(ed25519_key, "OpenSSH"),
        "certificate": b"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n",
        "JWK": b'{"kty": "OKP"}',
        "damaged": _pem(ed25519_key)[:60] + b"\n-----END PRIVATE KEY-----\n",
        "empty": b"",
        "bytes": bytes(range(256)),
    }


BAD_FILES = _bad_files()


@pytest.mark.parametrize("name", BAD_FILES)
def test_a_file_that_holds_no_key_of_ours_is_one_line_that_says_what_to_do(name: str, tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    path.write_bytes(BAD_FILES[name])
    with pytest.raises(ConfigurationError) as caught:
        key_from_file(path)
    line = str(caught.value)
    assert line.startswith(f"key file {path}: ")
    assert "keyhouse signing-key generate" in line
    assert "\n" not in line
    assert caught.value.__cause__ is None


@pytest.mark.parametrize(("name", "why"), [("missing.pem", "No such file or directory"), (".", "Is a directory")])
def test_a_file_that_cannot_be_read_is_one_line_with_the_reason(name: str, why: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match=why) as caught:
        key_from_file(tmp_path / name)
    assert "\n" not in str(caught.value)


def test_a_public_key_cannot_be_the_signing_key(private_pems: dict[str, str], tmp_path: Path) -> None:
    path = tmp_path / "public.pem"
    path.write_bytes(_public_pem(private_pems["EdDSA"]))
    with pytest.raises(ConfigurationError, match=r"^KEYHOUSE_SIGNING_KEY_FILE: .* holds no private key$"):
        KeyRing.from_settings(_settings(signing_key_file=path))


@pytest.mark.parametrize("algorithm", ALGORITHMS)
def test_kid_is_the_rfc_7638_thumbprint_of_the_public_members(private_pems: dict[str, str], algorithm: str) -> None:
    key = key_from_pem(private_pems[algorithm].encode())
    members = {k: v for k, v in (key.public_jwk or {}).items() if k not in {"kid", "alg", "use"}}
    canonical = json.dumps(dict(sorted(members.items())), separators=(",", ":")).encode()
    digest = base64.urlsafe_b64encode(hashlib.sha256(canonical).digest()).decode().rstrip("=")
    assert key.kid == f"kh-{digest}"


def test_kid_of_a_secret_is_stable_and_differs_from_what_could_be_searched_for() -> None:
    """A plain hash of the secret (or its thumbprint, which is one) would tell whether a guess is right."""
    key = secret_key(SECRET)
    assert key.kid == secret_key(SECRET).kid
    assert key.kid != secret_key(OTHER_SECRET).kid
    assert key.kid.startswith("kh-")
    jwk = {"k": base64.urlsafe_b64encode(SECRET.encode()).decode().rstrip("="), "kty": "oct"}
    for material in (SECRET.encode(), json.dumps(jwk, separators=(",", ":")).encode()):
        digest = base64.urlsafe_b64encode(hashlib.sha256(material).digest()).decode()
        assert key.kid.removeprefix("kh-") not in digest


def test_the_key_of_a_secret_is_its_utf_8_bytes() -> None:
    secret = "pässwörter-sind-keine-Schlüssel-0123456789"
    assert secret_key(secret).signing == secret.encode("utf-8")


def test_nothing_secret_is_in_the_repr_of_a_key(private_pems: dict[str, str]) -> None:
    assert SECRET not in repr(secret_key(SECRET))
    assert "PrivateKey" not in repr(key_from_pem(private_pems["EdDSA"].encode()))


def test_the_secret_signs_and_its_fallbacks_verify() -> None:
    ring = KeyRing.from_settings(_settings(secret_key=SECRET, secret_key_fallbacks=(OTHER_SECRET,)))
    assert ring.signing == secret_key(SECRET)
    assert set(ring.by_kid) == {secret_key(SECRET).kid, secret_key(OTHER_SECRET).kid}
    assert ring.jwks() == {"keys": []}


def test_a_key_file_signs_and_files_and_secrets_beside_it_verify(private_pems: dict[str, str], tmp_path: Path) -> None:
    paths = {}
    for algorithm in ALGORITHMS:
        paths[algorithm] = tmp_path / f"{algorithm}.pem"
        pem = private_pems[algorithm].encode()
        paths[algorithm].write_bytes(pem if algorithm == "ES256" else _public_pem(private_pems[algorithm]))
    ring = KeyRing.from_settings(
        _settings(
            signing_key_file=paths["ES256"],
            verification_key_files=(paths["EdDSA"], paths["RS256"]),
            secret_key=SECRET,
        )
    )
    assert ring.signing.algorithm == "ES256"
    assert {key.algorithm for key in ring.by_kid.values()} == {"ES256", "EdDSA", "RS256", "HS256"}
    published = ring.jwks()["keys"]
    assert [jwk["alg"] for jwk in published] == ["ES256", "EdDSA", "RS256"]
    assert published[0]["kid"] == ring.signing.kid
    for jwk in published:
        assert jwk["use"] == "sig"
        assert set(jwk) <= {"kty", "crv", "x", "y", "n", "e", "kid", "alg", "use"}


def test_the_signing_key_named_again_for_verification_still_signs(private_pems: dict[str, str], tmp_path: Path) -> None:
    """Both files are the same key: that the second has no private half must not take it from the first."""
    private, public = tmp_path / "private.pem", tmp_path / "public.pem"
    private.write_text(private_pems["EdDSA"])
    public.write_bytes(_public_pem(private_pems["EdDSA"]))
    ring = KeyRing.from_settings(_settings(signing_key_file=private, verification_key_files=(public,)))
    assert len(ring.by_kid) == 1
    assert ring.by_kid[ring.signing.kid].signing is not None
