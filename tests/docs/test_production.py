"""`docs/production.md` and `docs/upgrading.md`: their commands, in the order in which they stand there."""

import asyncio
import shlex
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from keyhouse import Settings
from keyhouse.db import Database, migrations
from keyhouse.tokens import KeyRing
from support.commands import Server
from support.fences import environment, run, shown
from support.postgres import Postgres

PASSWORD = "correct horse battery staple"
SHOWN_URL = "postgresql://keyhouse:secret@db.internal/keyhouse"


@pytest.fixture
def empty_url(postgres: Postgres) -> Iterator[str]:
    """A PostgreSQL database in which there is nothing."""
    postgres.sql("CREATE DATABASE production")
    yield postgres.url("production")
    postgres.sql("DROP DATABASE production WITH (FORCE)")


def settings_after(script: str, folder: Path, env: dict[str, str]) -> dict[str, str]:
    """The settings that a script exports. A secret has no line break, and nothing else is asked for here."""
    printed = run(f"{script}\nenv", folder, env)
    return dict(line.split("=", 1) for line in printed.splitlines() if line.startswith("KEYHOUSE_"))


def test_from_nothing_to_a_server(empty_url: str, tmp_path: Path, port: int) -> None:
    configure = "\n".join(shown("production.md", under="2. Configure")).replace(SHOWN_URL, empty_url)
    assert empty_url in configure
    settings = settings_after(configure, tmp_path, environment())
    assert set(settings) == {"KEYHOUSE_DATABASE_URL", "KEYHOUSE_SECRET_KEY", "KEYHOUSE_SIGNING_KEY_FILE"}

    (migrate,) = shown("production.md", under="3. Migrate")
    (make,) = shown("production.md", under="4. Make a company and its first admin")
    made = run(f"{migrate}\n{make}\necho $company", tmp_path, environment(**settings, ADMIN_PASSWORD=PASSWORD))

    (serve,) = shown("production.md", under="5. Serve")
    program, *arguments = shlex.split(serve.replace("8000", str(port)))
    assert program == "keyhouse"
    server = Server(tmp_path, *arguments, env=settings)
    try:
        url = server.base_url()
        login = {"email": "admin@acme.example", "password": PASSWORD}
        access = httpx.post(f"{url}/api/v1/auth/token/", json=login).json()["access_token"]
        me = httpx.get(f"{url}/api/v1/auth/me/", headers={"Authorization": f"Bearer {access}"}).json()
    finally:
        server.kill()
    (company,) = me["companies"]
    assert (company["name"], company["role"]) == ("Acme", "admin")
    assert made.splitlines()[-1] == company["id"]

    (prune,) = shown("production.md", under="6. Prune")
    assert "keys 0" in run(prune, tmp_path, environment(**settings))


def test_an_upgrade(sqlite_url: str, tmp_path: Path) -> None:
    (migrate,) = shown("upgrading.md", under="The steps")
    env = environment(KEYHOUSE_DATABASE_URL=sqlite_url, KEYHOUSE_SECRET_KEY="0123456789abcdefghijklmnopqrstuvwxyz!?")
    run(migrate, tmp_path, env)

    async def current() -> str | None:
        database = Database(sqlite_url)
        try:
            return await migrations.current(database)
        finally:
            await database.close()

    assert asyncio.run(current()) == migrations.head()


def test_a_backup_of_sqlite(sqlite_url: str, tmp_path: Path) -> None:
    """Also of what stands in the write-ahead log alone."""
    assert sqlite_url == f"sqlite:///{tmp_path}/keyhouse.db"
    (backup,) = shown("upgrading.md", under="Backup and restore")
    with sqlite3.connect(tmp_path / "keyhouse.db") as open_:
        open_.execute("PRAGMA journal_mode = wal")
        open_.execute("CREATE TABLE remembered (word TEXT)")
        open_.commit()
        run(backup, tmp_path, environment())
    open_.close()
    with sqlite3.connect(tmp_path / "backup.db") as copied:
        names = {name for (name,) in copied.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    copied.close()
    assert {"api_keys", "remembered"} <= names


def ring(settings: dict[str, str], folder: Path, monkeypatch: pytest.MonkeyPatch) -> KeyRing:
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        for name, value in settings.items():
            patch.setenv(name, value)
        return KeyRing.from_settings(Settings())


@pytest.mark.parametrize("kind", ["secret", "file"])
def test_a_new_signing_key(kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the former key signed is good, and the new one signs."""
    by_kind = dict(zip(["secret", "file"], shown("upgrading.md", under="A new signing key"), strict=True))
    before, extra = shown("production.md", under="2. Configure")
    first = settings_after(before if kind == "secret" else f"{before}\n{extra}", tmp_path, environment())
    del first["KEYHOUSE_DATABASE_URL"]
    old = ring(first, tmp_path, monkeypatch)
    second = settings_after(by_kind[kind], tmp_path, environment(**first))
    new = ring(second, tmp_path, monkeypatch)
    assert new.signing.kid not in old.by_kid
    assert old.signing.kid in new.by_kid
