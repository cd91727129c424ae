"""`migrate`, `revocation-bound`, `prune` and `openapi`."""

import asyncio
import json
import subprocess
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text

from keyhouse import create_app
from keyhouse.db import Database, migrations
from support.commands import PATIENCE, PROGRAM, Command, sql, without_settings
from support.postgres import Postgres
from support.world import settings_for

AT_HEAD = f"the database is at {migrations.head()}"


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """A database without a table."""
    if request.param == "sqlite":
        yield f"sqlite:///{tmp_path}/empty.db"
        return
    postgres: Postgres = request.getfixturevalue("postgres")
    name = f"empty_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {name}")
    yield postgres.url(name)
    postgres.sql(f"DROP DATABASE {name} WITH (FORCE)")


def test_migrate_needs_a_database_and_nothing_else(
    keyhouse: Command, empty_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", empty_url)
    refused = keyhouse("company", "create", "Acme").mistake()
    assert refused.startswith("the database is at revision none, this version needs ")
    assert refused.endswith("run `keyhouse migrate`")
    assert keyhouse("migrate").said == f"{AT_HEAD}, it was at none\n"
    assert keyhouse("migrate").said == f"{AT_HEAD}\n"
    assert keyhouse("company", "create", "Acme").status == 0


def test_two_may_migrate_at_once(empty_url: str, tmp_path: Path) -> None:
    environment = {**without_settings(), "KEYHOUSE_DATABASE_URL": empty_url}
    running = [
        subprocess.Popen(
            [PROGRAM, "migrate"],
            cwd=tmp_path,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    done = [(*process.communicate(), process.returncode) for process in running]
    assert [(err, status) for _, err, status in done] == [("", 0)] * 2
    assert all(out.startswith(AT_HEAD) for out, _, _ in done)
    assert sql(empty_url, "SELECT version_num FROM alembic_version") == [(migrations.head(),)]
    assert sql(empty_url, "SELECT count(*) FROM change_head") == [(1,)]


async def test_who_migrates_second_waits_and_then_sees_what_the_first_did(empty_url: str, postgres: Postgres) -> None:
    database, other = Database(empty_url), Database(empty_url)
    async with other.engine.connect() as first:
        await first.execution_options(keyhouse_begin="BEGIN IMMEDIATE")
        if other.kind == "postgresql":
            await first.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": migrations._LOCK})
        await first.execute(text("CREATE TABLE companies_of_the_first (id int)"))
        second = asyncio.create_task(migrations.upgrade(database))
        await _until_it_waits(second, empty_url, postgres)
        await first.commit()
    await second
    assert await migrations.current(database) == migrations.head()
    await database.close()
    await other.close()


async def _until_it_waits(task: asyncio.Task[None], url: str, postgres: Postgres) -> None:
    """On PostgreSQL it can be seen; on SQLite it has had the time to run into the other's lock, or past it."""
    if url.startswith("sqlite"):
        await asyncio.wait([task], timeout=0.5)
    else:
        waiting = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted"
        end = time.monotonic() + PATIENCE
        while not task.done() and await asyncio.to_thread(postgres.sql, waiting) == "0":
            assert time.monotonic() < end
    assert not task.done()


def test_migrate_refuses_a_database_of_a_later_version(on_sqlite: Command, sqlite_url: str) -> None:
    sql(sqlite_url, "UPDATE alembic_version SET version_num = '9999'")
    assert "9999" in on_sqlite("migrate").mistake()
    assert "9999" in on_sqlite("revocation-bound").mistake()


def test_the_bound_is_read_and_set(configured: Command, database_url: str) -> None:
    sql(database_url, "UPDATE change_head SET bound_ms = 1000")
    assert configured("revocation-bound").said == "1\n"
    began = time.monotonic()
    assert configured("revocation-bound", "0.25").said == "0.25\n"
    if database_url.startswith("postgresql"):
        assert time.monotonic() - began >= 1.01
    assert configured("revocation-bound", "0").said == "0\n"
    assert sql(database_url, "SELECT bound_ms, former_bound_ms FROM change_head") == [(0, None)]


def test_an_unfinished_change_of_the_bound_is_told_and_finished(on_sqlite: Command, sqlite_url: str) -> None:
    sql(sqlite_url, "UPDATE change_head SET bound_ms = 2000, former_bound_ms = 5000")
    told = on_sqlite("revocation-bound").said
    assert told == "2\nthe change from 5 is unfinished: run `keyhouse revocation-bound 2`\n"
    assert on_sqlite("revocation-bound", "3").mistake() == "the change to 2 s is unfinished: repeat that one first"
    assert on_sqlite("revocation-bound", "2").said == "2\n"
    assert on_sqlite("revocation-bound").said == "2\n"


@pytest.mark.parametrize("seconds", ["10.001", "soon", "1e3", "nan", "0.0001", "inf", ""])
def test_a_bound_that_can_not_be_is_refused(keyhouse: Command, seconds: str) -> None:
    assert "seconds from 0 to 10, with at most three decimals, are needed" in keyhouse(
        "revocation-bound", seconds
    ).mistake(2)


def test_prune_tells_what_went(configured: Command, database_url: str) -> None:
    sql(database_url, "INSERT INTO changes (seq, kind, subject, at) VALUES (1, 'user', 'x', 1)")
    sql(database_url, "UPDATE change_head SET seq = 1")
    told = configured("prune", "--older-than", "90d").said
    assert told == "api keys 0, sessions 0, audit events 0, changes 1\n"
    assert sql(database_url, "SELECT pruned_seq FROM change_head") == [(1,)]


@pytest.mark.parametrize("age", ["90", "0d", "-1d", "d", "1w", "1.5d", "99999999999d", "٣d"])
def test_an_age_that_is_none_is_refused(keyhouse: Command, age: str) -> None:
    assert "a number with its unit is needed: 90s, 15m, 12h, 30d" in keyhouse("prune", "--older-than", age).mistake(2)


def test_openapi_prints_the_document_that_is_served(
    keyhouse: Command, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = create_app(settings_for(sqlite_url)).openapi()
    assert json.loads(keyhouse("openapi").said) == served
    assert list(Path().iterdir()) == []
    monkeypatch.setenv("KEYHOUSE_API_KEY_MAX_TTL", "86400")
    assert json.loads(keyhouse("openapi").said) != served
