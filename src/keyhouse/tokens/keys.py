"""Signing and verification keys (RFC 7517, RFC 7518). The algorithm belongs to the key, never to the token."""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from jwt.algorithms import ECAlgorithm, OKPAlgorithm, RSAAlgorithm

from keyhouse.settings import ConfigurationError, Settings

Algorithm = Literal["HS256", "EdDSA", "ES256", "RS256"]
PrivateKey = ed25519.Ed25519PrivateKey | ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
PublicKey = ed25519.Ed25519PublicKey | ec.EllipticCurvePublicKey | rsa.RSAPublicKey
KID_PREFIX = "kh-"
_MINIMUM_RSA_BITS = 2048
_KID_CONTEXT = b"keyhouse kid"


@dataclass(frozen=True, slots=True)
class Key:
    """One key: its algorithm, its `kid`, and what signs and verifies. `public_jwk` is None for a secret."""

    kid: str
    algorithm: Algorithm
    verifying: PublicKey | bytes = field(repr=False)
    signing: PrivateKey | bytes | None = field(default=None, repr=False)
    public_jwk: Mapping[str, str] | None = None


@dataclass(frozen=True, slots=True)
class KeyRing:
    """The keys of one deployment: `signing` signs, all of `by_kid` verify."""

    signing: Key
    by_kid: Mapping[str, Key]

    @classmethod
    def of(cls, signing: Key, *others: Key) -> "KeyRing":
        return cls(signing, {key.kid: key for key in (*others, signing)})

    @classmethod
    def from_settings(cls, settings: Settings) -> "KeyRing":
        """Raises `ConfigurationError` when a key file can't be read or holds no key of ours."""
        secrets = [secret_key(s.get_secret_value()) for s in (settings.secret_key, *settings.secret_key_fallbacks) if s]
        files = [key_from_file(path) for path in settings.verification_key_files]
        if settings.signing_key_file is None:
            return cls.of(*secrets, *files)
        signing = key_from_file(settings.signing_key_file)
        if signing.signing is None:
            raise ConfigurationError(f"KEYHOUSE_SIGNING_KEY_FILE: {settings.signing_key_file} holds no private key")
        return cls.of(signing, *files, *secrets)

    def jwks(self) -> dict[str, list[dict[str, str]]]:
        """The public keys as a JWK Set (RFC 7517 section 5), the signing one first; secrets have none."""
        keys = sorted(self.by_kid.values(), key=lambda key: key is not self.signing)
        return {"keys": [dict(key.public_jwk) for key in keys if key.public_jwk is not None]}


def secret_key(secret: str) -> Key:
    """The HS256 key of a secret: its UTF-8 bytes. The `kid` tells nothing about it that could be searched for."""
    material = secret.encode()
    digest = hmac.digest(material, _KID_CONTEXT, "sha256")
    return Key(KID_PREFIX + _b64(digest[:12]), "HS256", material, material)


def key_from_file(path: Path) -> Key:
    """A key from a PEM file, private or public."""
    try:
        return key_from_pem(path.read_bytes())
    except OSError as error:
        raise ConfigurationError(f"key file {path}: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise ConfigurationError(
            f"key file {path}: not an unencrypted PEM key of Ed25519, P-256 or RSA from {_MINIMUM_RSA_BITS} bits on "
            "(`keyhouse signing-key generate` makes one)"
        ) from None


def key_from_pem(pem: bytes) -> Key:
    """Raises ValueError or TypeError for text that is no PEM key of a kind we take."""
    if b"PRIVATE KEY" in pem:
        private = serialization.load_pem_private_key(pem, None)
        if not isinstance(private, PrivateKey):
            raise TypeError("kind of key")
        return _asymmetric(private.public_key(), private)
    public = serialization.load_pem_public_key(pem)
    if not isinstance(public, PublicKey):
        raise TypeError("kind of key")
    return _asymmetric(public, None)


def generate_pem(algorithm: Algorithm) -> str:
    """A fresh private key in PKCS #8 PEM, which `KEYHOUSE_SIGNING_KEY_FILE` takes."""
    private: PrivateKey
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    elif algorithm == "ES256":
        private = ec.generate_private_key(ec.SECP256R1())
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=3072)
    return private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _asymmetric(public: PublicKey, private: PrivateKey | None) -> Key:
    algorithm, members = _describe(public)
    # RFC 7638 section 3: the required members alone, in lexicographic order.
    thumbprint = hashlib.sha256(json.dumps(members, sort_keys=True, separators=(",", ":")).encode()).digest()
    kid = KID_PREFIX + _b64(thumbprint)
    return Key(kid, algorithm, public, private, {**members, "kid": kid, "alg": algorithm, "use": "sig"})


def _describe(public: PublicKey) -> tuple[Algorithm, dict[str, str]]:
    algorithm: Algorithm
    jwk: dict[str, Any]
    names: tuple[str, ...]
    if isinstance(public, ed25519.Ed25519PublicKey):
        algorithm, jwk, names = "EdDSA", OKPAlgorithm.to_jwk(public, as_dict=True), ("crv", "kty", "x")
    elif isinstance(public, ec.EllipticCurvePublicKey):
        if not isinstance(public.curve, ec.SECP256R1):
            raise ValueError("curve")  # noqa: TRY004 - the type is right
        algorithm, jwk, names = "ES256", ECAlgorithm.to_jwk(public, as_dict=True), ("crv", "kty", "x", "y")
    else:
        if public.key_size < _MINIMUM_RSA_BITS:
            raise ValueError("size")
        algorithm, jwk, names = "RS256", RSAAlgorithm.to_jwk(public, as_dict=True), ("e", "kty", "n")
    return algorithm, {name: str(jwk[name]) for name in names}


def _b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()
