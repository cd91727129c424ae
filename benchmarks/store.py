"""Stores full of API keys, and servers over them.

Keys are made by one INSERT … SELECT in the database and signed here with the server's own codec, so that ten million
of them cost minutes: the token of key number n can be told from n alone.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import load, ours_app, postgres, servers
from benchmarks.contestants import WORK
from keyhouse.settings import Settings
from keyhouse.tokens import Claims, Codec, TokenUse
from keyhouse.tokens.keys import KeyRing

ROOT = Path(__file__).parent.parent
PROGRAM = Path(sys.executable).parent / "keyhouse"
LIFETIME = 90 * 86_400  # answers to keys that end within a fortnight carry a header more
FIRST = 0x0199F4A25F3D  # the millisecond in the id of key 0: later keys have later ids, as real ones do
SCOPES = f"{ours_app.SCOPE} api_keys:read"
COLUMNS = "id, company_id, created_by, name, scopes, hint, created_at, expires_at, lifetime, made_by_key, revoked_at"
ID = {
    "sqlite": "printf('%08x-%04x-7000-8000-%012x', ({first} + {n}) >> 16, ({first} + {n}) & 65535, {n})",
    "postgresql": (
        "lpad(to_hex(({first} + {n}) >> 16), 8, '0') || '-' || lpad(to_hex(({first} + {n}) & 65535), 4, '0')"
        " || '-7000-8000-' || lpad(to_hex({n}), 12, '0')"
    ),
}
NUMBERS = {
    "sqlite": "WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n < {last}) ",
    "postgresql": "WITH numbers(n) AS (SELECT generate_series(0::bigint, {last})) ",
}
FALSE = {"sqlite": "0", "postgresql": "false"}


def key_id(number: int) -> str:
    moment = FIRST + number
    return f"{moment >> 16:08x}-{moment & 0xFFFF:04x}-7000-8000-{number:012x}"


@dataclass
class Store:
    """One database with a company, an admin and keys 0 to `keys` - 1."""

    kind: str
    url: str
    folder: Path
    keys: int
    email: str = "admin@example.com"
    password: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)
    company: str = ""
    user: str = ""
    issued: int = field(default_factory=lambda: int(time.time()))

    def __post_init__(self) -> None:
        self.environment = {
            "KEYHOUSE_DATABASE_URL": self.url,
            "KEYHOUSE_SECRET_KEY": secrets.token_urlsafe(48),
            "KEYHOUSE_LOGIN_RATE": "1000000/minute",  # the storm of log-ins comes from one address
            "PYTHONPATH": str(ROOT),
        }
        settings = Settings(database_url=self.url, secret_key=self.environment["KEYHOUSE_SECRET_KEY"])
        self.codec = Codec(KeyRing.from_settings(settings), settings.issuer, settings.audience)

    def keyhouse(self, *words: str, stdin: str = "") -> str:
        """What the operator's command prints."""
        done = subprocess.run(
            [PROGRAM, *words],
            cwd=self.folder,
            env={**os.environ, **self.environment},
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"keyhouse {' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def sql(self, text: str) -> None:
        if self.kind == "sqlite":
            with sqlite3.connect(self.url.removeprefix("sqlite:///")) as connection:
                connection.executescript(text)
            connection.close()
        else:
            postgres.execute(self.url, text)

    def token(self, number: int) -> str:
        return self.codec.encode(
            Claims(
                iss=self.codec.issuer,
                aud=self.codec.audience,
                sub=self.user,
                jti=key_id(number),
                iat=self.issued,
                exp=self.issued + LIFETIME,
                token_use=TokenUse.API_KEY,
                scope=SCOPES,
                company_id=self.company,
            )
        )

    def path(self, route: str) -> str:
        return route.format(company_id=self.company)

    def request(self, number: int, route: str = ours_app.PATH) -> bytes:
        return load.request_bytes(self.path(route), {"Authorization": f"Bearer {self.token(number)}"})

    def requests(self, numbers: Iterable[int], route: str = ours_app.PATH) -> list[bytes]:
        return [self.request(number, route) for number in numbers]

    def serve(
        self, *, workers: int = 1, core: int | None = servers.SERVER_CORE, factory: str = "create"
    ) -> servers.Server:
        """`factory` is what of `ours_app` makes the application."""
        port = servers.free_port()
        command = [sys.executable, "-m", "benchmarks.ours_app", str(port), str(workers), factory]
        return servers.start(
            f"Keyhouse, {self.kind}", command, port=port, folder=self.folder, environment=self.environment, core=core
        )


def make(name: str, keys: int, *, cluster: str | None = None, revoke_every: int = 0) -> Store:
    """A new store, on PostgreSQL where a cluster is given. Every `revoke_every`th key is revoked, with its change."""
    folder = WORK / f"keyhouse-{name}"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    if cluster is None:
        store = Store("sqlite", f"sqlite:///{folder / 'keyhouse.db'}", folder, keys)
    else:
        store = Store("postgresql", postgres.create_database(cluster, f"keyhouse-{name}"), folder, keys)
    store.keyhouse("migrate")
    store.company = json.loads(store.keyhouse("company", "create", "Bench", "--json"))["id"]
    made = store.keyhouse(
        *("user", "create", store.email, "--company", store.company, "--role", "admin", "--password-stdin", "--json"),
        stdin=store.password + "\n",
    )
    store.user = json.loads(made)["id"]
    fill(store, revoke_every)
    return store


def fill(store: Store, revoke_every: int) -> None:
    identity = ID[store.kind].format(first=FIRST, n="n")
    numbers = NUMBERS[store.kind].format(last=store.keys - 1)
    revoked = f"CASE WHEN n % {revoke_every} = 0 THEN {store.issued} END" if revoke_every else "NULL"
    keys = (
        f"INSERT INTO api_keys ({COLUMNS}) {numbers} SELECT {identity}, '{store.company}', '{store.user}', 'bench',"
        f" '{SCOPES}', 'benc', {store.issued}, {store.issued + LIFETIME}, {LIFETIME}, {FALSE[store.kind]},"
        f" {revoked} FROM numbers;"
    )
    # Foreign keys are right by construction; asking ten million times whether they are takes longer than the rest.
    unchecked = "SET session_replication_role = replica;" if store.kind == "postgresql" else ""
    store.sql(unchecked + keys)
    if revoke_every:
        count = (store.keys + revoke_every - 1) // revoke_every
        numbers = NUMBERS[store.kind].format(last=count - 1)
        identity = ID[store.kind].format(first=FIRST, n=f"(n * {revoke_every})")
        store.sql(
            f"INSERT INTO changes (seq, kind, subject, at) {numbers} SELECT head.seq + n + 1, 'api_key', {identity},"
            f" {store.issued} FROM numbers, change_head AS head;"
            f"UPDATE change_head SET seq = seq + {count};"
        )
    if store.kind == "postgresql":
        store.sql("VACUUM ANALYZE;")
