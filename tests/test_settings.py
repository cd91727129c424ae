"""What an operator may write, and what is told of what they may not."""

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from keyhouse import Settings
from keyhouse.settings import PREFIX, ConfigurationError, load

SECRET = "kV7q-2mXw_9tRz4LbN8sYd3HfJ6pGc1UaEoQ5iTx"
OTHER = "another-9Hq2vLx7TzK4mWb8Rs1Yc6Nd3Jf5Gp0"


@pytest.fixture(autouse=True)
def _nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in os.environ:
        if name.upper().startswith(PREFIX):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


def _set(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in {"SECRET_KEY": SECRET, **values}.items():
        monkeypatch.setenv(PREFIX + name, value)


def _refused() -> str:
    """The one line that tells what is wrong."""
    with pytest.raises(ConfigurationError) as caught:
        load()
    line = str(caught.value)
    assert line
    assert "\n" not in line
    # Nothing of the cause may be printed with it: it holds the values.
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None or caught.value.__suppress_context__
    return line


def test_a_secret_is_all_that_has_to_be_set(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch)
    settings = load()
    assert settings.secret_key == SecretStr(SECRET)
    assert settings.database_url.get_secret_value() == "sqlite:///keyhouse.db"
    assert (settings.access_token_ttl, settings.api_key_max_ttl) == (900, 366 * 86400)
    assert settings.login_rate == "10/minute"


def test_without_any_key_it_says_how_to_get_one() -> None:
    line = _refused()
    assert line.startswith("set KEYHOUSE_SECRET_KEY (at least 32 random bytes")
    assert "keyhouse signing-key generate" in line
    assert "KEYHOUSE_SIGNING_KEY_FILE" in line


def test_an_empty_secret_or_key_file_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a copy of `.env.example` has them."""
    _set(monkeypatch, SECRET_KEY="", SIGNING_KEY_FILE="")
    assert _refused().startswith("set KEYHOUSE_SECRET_KEY")
    _set(monkeypatch, SECRET_KEY="", SIGNING_KEY_FILE="key.pem")
    settings = load()
    assert settings.secret_key is None
    assert settings.signing_key_file == Path("key.pem")


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        ("x" * 31, "at least 32 bytes"),
        (SECRET[:31], "at least 32 bytes"),
        ("changeme-changeme-changeme-changeme", "known or guessable"),
        ("Django-Insecure-7(w9_2k4l!x0m3n8b6v5c1z", "known or guessable"),
        ("a-string-secret-at-least-256-bits-long", "known or guessable"),
        ("09d25e094faa6ca2556c818166b7a9563b93f7099f6f0f4caa6cf63b88e8d3e7", "known or guessable"),
        ("ab" * 20, "known or guessable"),
        ("0" * 64, "known or guessable"),
    ],
)
def test_a_weak_secret_is_refused_and_never_repeated(secret: str, why: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for values in ({"SECRET_KEY": secret}, {"SECRET_KEY_FALLBACKS": f"{OTHER},{secret}"}):
        _set(monkeypatch, **values)
        line = _refused()
        assert why in line
        assert secret not in line
        monkeypatch.delenv(PREFIX + "SECRET_KEY_FALLBACKS", raising=False)


def test_bytes_count_and_not_characters(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, SECRET_KEY="äöüßéèêçñåøæœþð€")
    assert load().secret_key is not None


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("DATABASE_URL", "mysql://u:hunter2@h/db", "must be sqlite:///PATH or postgresql://USER:PASSWORD@HOST/NAME"),
        ("DATABASE_URL", "keyhouse.db", "must be sqlite:///PATH"),
        ("DATABASE_URL", "", "must be sqlite:///PATH"),
        ("DATABASE_URL", "sqlite://", "must be sqlite:///PATH"),
        ("DATABASE_URL", "sqlite:///", "must be sqlite:///PATH"),
        ("DATABASE_URL", "sqlite:///:memory:", "must be sqlite:///PATH"),
        ("DATABASE_URL", "postgresql://u:hunter2@host:port/db", "must be sqlite:///PATH"),
        ("DATABASE_URL", "postgresql://u:hunter2@[::1/db", "must be sqlite:///PATH"),
        ("LOGIN_RATE", "often", "must be a rate like 10/minute"),
        ("LOGIN_RATE", "10", "must be a rate like 10/minute"),
        ("RATE_LIMIT_STORAGE", "memcached://:hunter2@h", "must be memory:// or redis://HOST:PORT/DB"),
        ("RATE_LIMIT_STORAGE", "redis://:hunter2@h:port/0", "must be memory:// or redis://HOST:PORT/DB"),
        ("RATE_LIMIT_STORAGE", "redis://:hunter2@[::1/0", "must be memory:// or redis://HOST:PORT/DB"),
        ("RATE_LIMIT_STORAGE", "", "must be memory:// or redis://HOST:PORT/DB"),
        ("TRUSTED_PROXIES", "10.0.0.0/8,proxy.internal", "'proxy.internal' is not an IP address or network"),
        ("ACCESS_TOKEN_TTL", "0", "greater than 0"),
        ("ACCESS_TOKEN_TTL", "15m", "valid integer"),
        ("REFRESH_TOKEN_TTL", "-1", "greater than 0"),
        ("SESSION_MAX_TTL", "99999999999", "less than or equal to"),
        ("API_KEY_MAX_TTL", "59", "greater than or equal to 60"),
        ("MAX_BODY_BYTES", "1023", "greater than or equal to 1024"),
        ("DOCS", "perhaps", "valid boolean"),
        ("LOG_FORMAT", "xml", "'json' or 'console'"),
        ("ISSUER", "", "at least 1 character"),
        ("AUDIENCE", "", "at least 1 character"),
    ],
)
def test_a_wrong_value_is_one_line_with_its_name(
    name: str, value: str, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _set(monkeypatch, **{name: value})
    line = _refused()
    assert line.startswith(f"{PREFIX}{name}: ")
    assert told in line
    assert "hunter2" not in line


def test_several_wrong_values_are_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, LOG_FORMAT="xml", DOCS="perhaps")
    line = _refused()
    assert "KEYHOUSE_LOG_FORMAT: " in line
    assert "KEYHOUSE_DOCS: " in line


@pytest.mark.parametrize("name", ["KEYHOUSE_TYPO", "keyhouse_secret_kye", "KEYHOUSE_", "KEYHOUSE_DATABASE_URL_2"])
def test_a_name_that_is_no_setting_is_refused(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """pydantic-settings passes over it, and whoever mistyped a name would run on its default."""
    _set(monkeypatch)
    monkeypatch.setenv(name, "hunter2")
    line = _refused()
    assert line == f"unknown setting {name}: the names are in .env.example"


def test_the_key_of_the_pytest_plugin_is_not_taken_for_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch)
    monkeypatch.setenv("KEYHOUSE_API_KEY", "hunter2")
    assert "hunter2" not in repr(load())


def test_names_are_taken_in_any_case(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch)
    monkeypatch.setenv("keyhouse_issuer", "https://id.example")
    assert load().issuer == "https://id.example"


def test_the_names_to_check_may_be_given() -> None:
    with pytest.raises(ConfigurationError, match="unknown setting KEYHOUSE_B, KEYHOUSE_C"):
        load({"KEYHOUSE_C": "1", "PATH": "x", "KEYHOUSE_B": "2"})


@pytest.mark.parametrize("value", ["a,b", " a , b ", "a,b,", ",a,,b"])
def test_lists_are_comma_separated(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, CORS_ORIGINS=value, VERIFICATION_KEY_FILES=value)
    settings = load()
    assert settings.cors_origins == ("a", "b")
    assert settings.verification_key_files == (Path("a"), Path("b"))


@pytest.mark.parametrize("name", ["CORS_ORIGINS", "TRUSTED_PROXIES", "VERIFICATION_KEY_FILES", "SECRET_KEY_FALLBACKS"])
@pytest.mark.parametrize("value", ["", " ", ","])
def test_an_empty_list_is_none(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, **{name: value})
    assert getattr(load(), name.lower()) == ()


def test_networks_are_taken_in_every_form(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, TRUSTED_PROXIES="10.0.0.1,10.0.0.1/8,::1,fd00::/8")
    assert load().trusted_proxies == ("10.0.0.1", "10.0.0.1/8", "::1", "fd00::/8")


def test_env_file_is_read_and_the_environment_goes_first(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        f"# a comment\nKEYHOUSE_SECRET_KEY={SECRET}\nKEYHOUSE_ISSUER=file\nKEYHOUSE_AUDIENCE=file\nOTHER=1\n"
    )
    monkeypatch.setenv("KEYHOUSE_AUDIENCE", "environment")
    settings = load()
    assert settings.secret_key == SecretStr(SECRET)
    assert (settings.issuer, settings.audience) == ("file", "environment")


def test_a_name_in_the_env_file_that_is_no_setting_is_refused(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(f"KEYHOUSE_SECRET_KEY={SECRET}\nKEYHOUSE_ISSUR=typo\n")
    assert _refused() == "unknown setting KEYHOUSE_ISSUR: the names are in .env.example"


def test_an_env_file_that_is_no_utf_8_is_one_line(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"KEYHOUSE_ISSUER=caf\xe9\n")
    assert _refused() == ".env: not UTF-8"


def test_secrets_are_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    url = "postgresql://keyhouse:hunter2@db/keyhouse"
    _set(monkeypatch, SECRET_KEY_FALLBACKS=OTHER, DATABASE_URL=url, RATE_LIMIT_STORAGE="redis://:hunter2@r")
    settings = load()
    for text in (repr(settings), str(settings), settings.model_dump_json(), str(settings.model_dump())):
        assert all(secret not in text for secret in (SECRET, OTHER, "hunter2"))


@pytest.mark.parametrize("values", [{"database_url": "mysql://u:hunter2@h"}, {"secret_key": "hunter2"}])
def test_secrets_are_in_no_error_of_the_library_either(values: dict[str, Any]) -> None:
    """Who makes `Settings()` in their own program sees Pydantic's error."""
    with pytest.raises(ValidationError) as caught:
        Settings(_env_file=None, **{"secret_key": SECRET, **values})
    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(caught.value)


@pytest.mark.parametrize("url", ["memory://", "redis://localhost", "redis://:p@localhost:6379/1", "rediss://r/0"])
def test_tries_are_counted_here_or_in_redis(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, RATE_LIMIT_STORAGE=url)
    assert load().rate_limit_storage.get_secret_value() == url


def test_settings_are_frozen(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch)
    with pytest.raises(ValidationError, match="frozen"):
        load().issuer = "other"  # type: ignore[misc]


def test_what_is_given_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    _set(monkeypatch, ISSUER="environment")
    assert load(issuer="given").issuer == "given"
