"""Section 6 of the contract: a command that kills answers when the death is true on every worker."""

import pytest

from keyhouse.cli import store
from keyhouse.db import Database
from keyhouse.revocation import Revocation
from support.clock import MovableClock
from support.commands import Command, sql
from support.world import SECRET

EMAIL = "ada@example.com"
PASSWORD = "a long enough passphrase"


@pytest.fixture
def waits(keyhouse: Command, postgresql_url: str, monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The seconds that a command waited; none of them are waited for here."""
    del keyhouse
    waited: list[float] = []
    clock = MovableClock()

    async def wait(seconds: float) -> None:
        waited.append(seconds)
        clock.advance(seconds)

    def revocation(database: Database, clock: MovableClock) -> Revocation:
        return Revocation(database, clock, wait)

    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", postgresql_url)
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", SECRET)
    monkeypatch.setattr(store, "SystemClock", lambda: clock)
    monkeypatch.setattr(store, "Revocation", revocation)
    sql(postgresql_url, "UPDATE change_head SET bound_ms = 3000")
    return waited


def test_every_death_waits_for_the_bound_and_nothing_else_does(keyhouse: Command, waits: list[float]) -> None:
    def waited(*arguments: str) -> float:
        waits.clear()
        assert keyhouse(*arguments, stdin=PASSWORD).status == 0
        return sum(waits)

    company = keyhouse("company", "create", "Acme", "--json").json["id"]
    here = ("--company", company)
    assert waited("user", "create", EMAIL, *here, "--role", "admin", "--password-stdin") == 0
    key = keyhouse("api-key", "create", *here, "--user", EMAIL, "--name", "ci", "--expires-in", "1d", "--json").json[
        "id"
    ]
    for command in (
        ("api-key", "revoke", key),
        # Already dead: whoever killed it may not have answered yet.
        ("api-key", "revoke", key),
        ("member", "set-role", EMAIL, *here, "--role", "member"),
        ("user", "set-password", EMAIL, "--password-stdin"),
        ("user", "disable", EMAIL),
        ("user", "disable", EMAIL),
        ("member", "remove", EMAIL, *here),
        ("member", "add", EMAIL, *here),
    ):
        assert 3 < waited(*command) <= 3.03, command
    assert waited("user", "enable", EMAIL) == 0
