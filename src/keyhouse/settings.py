"""Settings, from the environment or `.env`, prefix `KEYHOUSE_`. Nothing is read at import; a `Settings` is frozen."""

import os
from collections.abc import Mapping
from ipaddress import ip_network
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

import limits
from dotenv import dotenv_values
from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict
from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

PREFIX = "KEYHOUSE_"
MINIMUM_SECRET_BYTES = 32
# Read by the pytest plugin for its expiry warning; the server takes no notice of it.
_NOT_OURS = frozenset({"KEYHOUSE_API_KEY"})
# Secrets that stand in documentation, and so in every attacker's list.
_KNOWN_SECRETS = (
    "changeme",
    "change-me",
    "secret",
    "your-secret",
    "insecure",
    "example",
    "password",
    "django-insecure",
)
# https://jwt.io's example, FastAPI's tutorial.
_KNOWN_EXACT = frozenset(
    {
        "your-256-bit-secret",
        "a-string-secret-at-least-256-bits-long",
        "09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7",
    }
)

Strings = Annotated[tuple[str, ...], NoDecode]
Seconds = Annotated[int, Field(gt=0, le=100 * 366 * 86400)]


class ConfigurationError(Exception):
    """What an operator has to mend, in one line."""


class Settings(BaseSettings):
    """Every setting of Keyhouse; each stands in `.env.example` with its default and a line of what it does."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        env_file_encoding="utf-8",
        frozen=True,
        extra="ignore",
        validate_default=False,
        hide_input_in_errors=True,
    )

    database_url: SecretStr = SecretStr("sqlite:///keyhouse.db")
    secret_key: SecretStr | None = None
    secret_key_fallbacks: Annotated[tuple[SecretStr, ...], NoDecode] = ()
    signing_key_file: Path | None = None
    verification_key_files: Annotated[tuple[Path, ...], NoDecode] = ()
    issuer: Annotated[str, Field(min_length=1)] = "keyhouse"
    audience: Annotated[str, Field(min_length=1)] = "keyhouse"
    access_token_ttl: Seconds = 900
    refresh_token_ttl: Seconds = 14 * 86400
    session_max_ttl: Seconds = 90 * 86400
    api_key_max_ttl: Annotated[int, Field(ge=60, le=100 * 366 * 86400)] = 366 * 86400
    max_body_bytes: Annotated[int, Field(ge=1024, le=1 << 30)] = 65536
    login_rate: str = "10/minute"
    rate_limit_storage: SecretStr = SecretStr("memory://")
    cors_origins: Strings = ()
    trusted_proxies: Strings = ()
    docs: bool = True
    log_format: Literal["json", "console"] = "json"

    @field_validator("secret_key_fallbacks", "verification_key_files", "cors_origins", "trusted_proxies", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        return tuple(part.strip() for part in value.split(",") if part.strip()) if isinstance(value, str) else value

    @field_validator("secret_key", "signing_key_file", mode="before")
    @classmethod
    def _empty_is_unset(cls, value: Any) -> Any:
        return None if value == "" else value

    @field_validator("database_url")
    @classmethod
    def _known_database(cls, value: SecretStr) -> SecretStr:
        try:
            url = make_url(value.get_secret_value())
        except (ArgumentError, ValueError):
            url = None
        # Each worker would have an SQLite database in memory of its own.
        if url is None or not (
            url.drivername in {"postgresql", "postgres"}
            or (url.drivername == "sqlite" and url.database not in {None, "", ":memory:"})
        ):
            # The parser's own text quotes the URL, password included.
            raise ValueError("must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME")
        return value

    @field_validator("login_rate")
    @classmethod
    def _rate_is_readable(cls, value: str) -> str:
        try:
            limits.parse(value)
        except ValueError:
            raise ValueError("must be a rate like 10/minute") from None
        return value

    @field_validator("rate_limit_storage")
    @classmethod
    def _known_storage(cls, value: SecretStr) -> SecretStr:
        try:
            url = urlsplit(value.get_secret_value())
            readable = url.scheme in {"memory", "redis", "rediss"} and (url.port is None or url.port > 0)
        except ValueError:
            readable = False
        if not readable:
            raise ValueError("must be memory:// or redis://HOST:PORT/DB")
        return value

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        for item in value:
            try:
                ip_network(item, strict=False)
            except ValueError:
                raise ValueError(f"{item!r} is not an IP address or network") from None
        return value

    @model_validator(mode="after")
    def _one_kind_of_key(self) -> Self:
        if self.signing_key_file is None and self.secret_key is None:
            raise ValueError(
                f"set {PREFIX}SECRET_KEY (at least {MINIMUM_SECRET_BYTES} random bytes: "
                "`keyhouse signing-key generate --algorithm HS256` prints one) "
                f"or {PREFIX}SIGNING_KEY_FILE"
            )
        for secret in (self.secret_key, *self.secret_key_fallbacks):
            if secret is not None:
                _refuse_weak(secret.get_secret_value())
        return self


def _refuse_weak(secret: str) -> None:
    if len(secret.encode()) < MINIMUM_SECRET_BYTES:
        raise ValueError(f"{PREFIX}SECRET_KEY and its fallbacks must have at least {MINIMUM_SECRET_BYTES} bytes")
    plain = secret.lower()
    if plain in _KNOWN_EXACT or plain.startswith(_KNOWN_SECRETS) or len(set(secret)) < 8:  # noqa: PLR2004 - no random 32 bytes have fewer different ones
        raise ValueError(f"{PREFIX}SECRET_KEY is a known or guessable value: make a random one")


def load(environ: Mapping[str, str] | None = None, **overrides: Any) -> Settings:
    """The settings of this process.

    Raises `ConfigurationError`, one line, for an unknown `KEYHOUSE_*` name or a value that can't be taken. The
    value itself is never repeated: it may be a secret.
    """
    names = set(os.environ if environ is None else environ)
    try:
        names |= set(dotenv_values(".env"))
    except UnicodeDecodeError:
        raise ConfigurationError(".env: not UTF-8") from None
    known = {PREFIX + name.upper() for name in Settings.model_fields} | _NOT_OURS
    unknown = sorted(name for name in names if name.upper().startswith(PREFIX) and name.upper() not in known)
    if unknown:
        raise ConfigurationError(f"unknown setting {', '.join(unknown)}: the names are in .env.example")
    try:
        return Settings(**overrides)
    except ValidationError as error:
        raise ConfigurationError("; ".join(_line(item) for item in error.errors())) from None


def _line(item: Mapping[str, Any]) -> str:
    name = "".join(PREFIX + str(part).upper() for part in item["loc"][:1])
    text = str(item["msg"]).removeprefix("Value error, ")
    return f"{name}: {text}" if name else text
