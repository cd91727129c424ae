"""Whatever an operator can mistype is one line on standard error, and a status that is not 0."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import structlog

from keyhouse.cli import listening, mistakes, store
from keyhouse.credentials import changes
from keyhouse.db.base import new_id
from keyhouse.settings import Settings
from support.commands import PATIENCE, PROGRAM, Command, without_settings
from support.postgres import Postgres, free_port
from support.world import SECRET


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("company", "creat"), "No such command 'creat'. Did you mean 'create'?"),
        (("fly",), "No such command 'fly'."),
        (("--version",), "No such option: --version"),
        (("company", "create"), "Missing argument 'NAME'."),
        (("company", "create", "a", "b"), "unexpected extra argument"),
        (("company", "create", "a\nb"), "Control characters are not allowed."),
        (("serve", "--port", "65536"), "'--port'"),
        (("serve", "--workers", "0"), "'--workers'"),
        (("user", "create", "a@example.com", "--role", "admin", "--password-stdin"), "it needs --company"),
        (("member", "add", "a@example.com", "--company", "X"), "not an id"),
        (("member", "set-role", "a@example.com", "--company", new_id(), "--role", "owner"), "'owner'"),
    ],
)
def test_wrong_usage_is_told_in_one_line(keyhouse: Command, arguments: tuple[str, ...], why: str) -> None:
    assert why in keyhouse(*arguments).mistake(2)


@pytest.mark.parametrize("arguments", [("--help",), ("serve", "--help"), ("company", "--help")])
def test_help_is_no_mistake(keyhouse: Command, arguments: tuple[str, ...]) -> None:
    assert keyhouse(*arguments).said.startswith("Usage: keyhouse ")


def test_help_of_dev_tells_how_often_one_may_log_in(keyhouse: Command) -> None:
    assert f"to {Settings.model_fields['login_rate'].default.split('/')[0]} a minute" in keyhouse("dev", "--help").said


def test_help_of_serve_tells_what_it_bears(keyhouse: Command) -> None:
    told = " ".join(keyhouse("serve", "--help").said.split())
    assert f"at most {listening.MAX_CONNECTIONS} connections" in told
    assert f"within {listening._GRACE_SECONDS} seconds" in told
    # The longest wait of a revocation is answered in that time.
    assert changes.MAX_BOUND_MS / 1000 * 1.01 < listening._GRACE_SECONDS


@pytest.mark.parametrize(
    ("name", "value", "why"),
    [
        ("KEYHOUSE_TYPO", "1", "unknown setting KEYHOUSE_TYPO: the names are in .env.example"),
        ("KEYHOUSE_ACCESS_TOKEN_TTL", "soon", "KEYHOUSE_ACCESS_TOKEN_TTL: "),
        ("KEYHOUSE_LOGIN_RATE", "often", "KEYHOUSE_LOGIN_RATE: must be a rate like 10/minute"),
        ("KEYHOUSE_DATABASE_URL", "mysql://x/y", "KEYHOUSE_DATABASE_URL: must be sqlite:///PATH or postgresql://"),
        ("KEYHOUSE_DATABASE_URL", "postgresql://u:p@h:port/x", "KEYHOUSE_DATABASE_URL: "),
        ("KEYHOUSE_DATABASE_URL", "sqlite:///:memory:", "KEYHOUSE_DATABASE_URL: "),
        ("KEYHOUSE_DATABASE_URL", "sqlite://", "KEYHOUSE_DATABASE_URL: "),
        (
            "KEYHOUSE_DATABASE_URL",
            "sqlite:////no/such/folder/k.db",
            "KEYHOUSE_DATABASE_URL: /no/such/folder/k.db: No such",
        ),
        ("KEYHOUSE_DATABASE_URL", "sqlite:////tmp", "can't open the database /tmp: unable to open database file"),
        (
            "KEYHOUSE_DATABASE_URL",
            "sqlite:////etc/passwd",
            "can't open the database /etc/passwd: file is not a database",
        ),
        ("KEYHOUSE_DATABASE_URL", "postgresql://u:hunter2@127.0.0.1:1/x", "can't open the database 127.0.0.1:1/x: "),
        (
            "KEYHOUSE_DATABASE_URL",
            "postgresql://u:hunter2@no.such.invalid/x",
            "can't open the database no.such.invalid:5432/x: ",
        ),
    ],
)
@pytest.mark.parametrize(
    "arguments", [("serve", "--port", "0"), ("company", "create", "Acme")], ids=["serve", "company"]
)
def test_a_setting_that_can_not_be_is_named(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], name: str, value: str, why: str
) -> None:
    monkeypatch.setenv(name, value)
    told = on_sqlite(*arguments).mistake()
    assert told.startswith(why)
    assert "hunter2" not in told


@pytest.mark.parametrize(
    ("secret", "why"),
    [
        (None, "set KEYHOUSE_SECRET_KEY (at least 32 random bytes: `keyhouse signing-key generate"),
        ("short", "KEYHOUSE_SECRET_KEY and its fallbacks must have at least 32 bytes"),
        ("a-string-secret-at-least-256-bits-long", "KEYHOUSE_SECRET_KEY is a known or guessable value"),
    ],
)
def test_serve_wants_a_secret_worth_the_name(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, secret: str | None, why: str
) -> None:
    if secret is None:
        monkeypatch.delenv("KEYHOUSE_SECRET_KEY")
    else:
        monkeypatch.setenv("KEYHOUSE_SECRET_KEY", secret)
    told = on_sqlite("serve", "--port", "0").mistake()
    assert told.startswith(why)
    assert secret is None or secret not in told


def test_settings_of_a_dotenv_file_count(on_sqlite: Command) -> None:
    Path(".env").write_text("KEYHOUSE_TYPO=1\n")
    assert "KEYHOUSE_TYPO" in on_sqlite("serve").mistake()
    Path(".env").write_bytes(b"\xff\xfe\x00")
    on_sqlite("serve").mistake()


def test_serve_wants_key_files_that_hold_keys(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "key.pem"
    monkeypatch.setenv("KEYHOUSE_SIGNING_KEY_FILE", str(file))
    assert on_sqlite("serve", "--port", "0").mistake() == f"key file {file}: No such file or directory"
    file.write_text("no key")
    assert "`keyhouse signing-key generate` makes one" in on_sqlite("serve", "--port", "0").mistake()


def test_serve_wants_the_schema_of_its_version(
    keyhouse: Command, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", f"sqlite:///{tmp_path}/empty.db")
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", SECRET)
    assert keyhouse("serve", "--port", "0").mistake().endswith("run `keyhouse migrate`")


def test_a_port_that_is_taken_is_named(on_sqlite: Command) -> None:
    with listening.listen("127.0.0.1", 0) as taken:
        taken.listen()
        port = taken.getsockname()[1]
        for command in ("serve", "dev"):
            told = on_sqlite(command, "--port", str(port)).mistake()
            assert told == f"can't listen at 127.0.0.1 port {port}: Address already in use"
    assert (
        "can't listen at no.such.invalid port 1: " in on_sqlite("serve", "--host", "no.such.invalid", "--port", "1").err
    )


@pytest.mark.parametrize(
    ("package", "name", "value"),
    [
        ("asyncpg", "KEYHOUSE_DATABASE_URL", "postgresql://127.0.0.1:1/x"),
        ("redis", "KEYHOUSE_RATE_LIMIT_STORAGE", "redis://127.0.0.1:1"),
    ],
)
def test_a_missing_extra_is_named(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, package: str, name: str, value: str
) -> None:
    for module in [module for module in sys.modules if module.partition(".")[0] == package]:
        monkeypatch.delitem(sys.modules, module)
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setenv(name, value)
    extra = "postgres" if package == "asyncpg" else "redis"
    assert f"pip install 'keyhouse[{extra}]'" in on_sqlite("serve", "--port", "0").mistake()


def test_what_postgresql_refuses_is_told(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, postgres: Postgres
) -> None:
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", postgres.url("nothing_of_that_name"))
    for arguments in (("serve", "--port", "0"), ("migrate",), ("company", "create", "Acme")):
        assert 'database "nothing_of_that_name" does not exist' in on_sqlite(*arguments).mistake()


def test_a_database_that_goes_away_meanwhile_is_one_line(on_sqlite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    """Between the check of the schema and the work: here nothing answers at the port any more."""
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", f"postgresql://127.0.0.1:{free_port()}/x")

    async def pass_by(_: object) -> None:
        pass

    monkeypatch.setattr(store, "_reach", pass_by)
    monkeypatch.setattr(store, "require_head", pass_by)
    assert on_sqlite("company", "create", "Acme").mistake().startswith("the database did not answer")


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (ZeroDivisionError("a\nb\tc"), "ZeroDivisionError: a b c"),
        (KeyError(), "KeyError"),
        (PermissionError(13, "Permission denied", "/etc/x"), "/etc/x: Permission denied"),
    ],
)
def test_the_unforeseen_is_one_line_too(
    on_sqlite: Command, monkeypatch: pytest.MonkeyPatch, error: Exception, line: str
) -> None:
    def fail(**_: object) -> None:
        structlog.get_logger().error("not for the operator of a command")
        raise error

    monkeypatch.setattr(store, "settings", fail)
    assert on_sqlite("migrate").mistake() == line


def test_ctrl_c_is_one_line(on_sqlite: Command, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(**_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(store, "settings", interrupt)
    assert on_sqlite("migrate").mistake(mistakes.INTERRUPTED) == "interrupted"


def test_ctrl_c_while_a_promise_is_waited_for_leaves_no_traceback(
    postgresql_url: str, postgres: Postgres, tmp_path: Path
) -> None:
    name = postgresql_url.rpartition("/")[2]
    postgres.sql("UPDATE change_head SET bound_ms = 10000", name)
    with subprocess.Popen(
        [PROGRAM, "revocation-bound", "1"],
        cwd=tmp_path,
        env={**without_settings(), "KEYHOUSE_DATABASE_URL": postgresql_url},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as running:
        end = time.monotonic() + PATIENCE
        while postgres.sql("SELECT bound_ms, former_bound_ms FROM change_head", name) != "1000|10000":
            assert time.monotonic() < end
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, err = running.communicate(timeout=PATIENCE)
    assert (running.returncode, out, err) == (130, "", "keyhouse: interrupted\n")


def test_a_reader_who_has_enough_is_no_traceback(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    done = subprocess.run(
        [PROGRAM, "signing-key", "generate"], cwd=tmp_path, stdout=writer, stderr=subprocess.PIPE, check=False
    )
    os.close(writer)
    assert (done.returncode, done.stderr) == (1, b"")
