"""How long an answer that says "dead" is kept back, and that nothing shortens it."""

import asyncio
from collections.abc import Callable, Sequence

import pytest
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.audit import AuditEvent, Origin
from keyhouse.audit.events import OPERATOR
from keyhouse.credentials import changes
from keyhouse.credentials.changes import Death
from keyhouse.credentials.models import ApiKey, ChangeHead
from keyhouse.revocation import Deed, Outcome, Revocation, deaths
from support import elsewhere
from support.clock import MovableClock
from support.world import World, bearer

_BOUND = 0.1


class Waiting:
    """A revocation whose waits only move its clock."""

    def __init__(self, world: World) -> None:
        self.clock = MovableClock()
        self.waits: list[float] = []
        self.in_use: list[int] = []
        self._database = world.keyhouse.database
        self.revocation = Revocation(self._database, self.clock, self._wait)

    async def _wait(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.in_use.append(self._database.connections_in_use())
        self.clock.advance(seconds)

    async def die(self, deed: Deed[None]) -> float:
        """For how long it was waited."""
        self.waits.clear()
        await self.revocation.die(deed)
        return sum(self.waits)


@pytest.fixture
def waiting(postgresql_world: World) -> Waiting:
    return Waiting(postgresql_world)


def _nobody(seconds: Callable[[], None] = lambda: None) -> Deed[None]:
    async def deed(_tx: AsyncSession, _now: int) -> Outcome[None]:
        seconds()
        return Outcome(None, [Death("api_key", "0" * 36)])

    return deed


async def test_a_repeated_revocation_waits_like_the_first(postgresql_world: World, waiting: Waiting) -> None:
    key = await postgresql_world.new_key()
    deed = deaths.api_key(postgresql_world.company.id, key["id"], OPERATOR)
    assert await waiting.die(deed) > _BOUND
    assert await waiting.die(deed) > _BOUND


async def test_it_waits_for_the_bound_in_the_database_not_for_one_of_the_process(
    postgresql_world: World, waiting: Waiting
) -> None:
    assert postgresql_world.keyhouse.view.bound == _BOUND
    for bound_ms in (700, 0, 2500):
        await elsewhere.execute(postgresql_world, f"UPDATE change_head SET bound_ms = {bound_ms}")
        waited = await waiting.die(_nobody())
        assert bound_ms / 1000 <= waited <= bound_ms / 1000 * 1.01


async def test_while_a_bound_is_changed_it_waits_for_the_larger_one(postgresql_world: World, waiting: Waiting) -> None:
    key = await postgresql_world.new_key()
    deed = deaths.api_key(postgresql_world.company.id, key["id"], OPERATOR)
    await elsewhere.execute(postgresql_world, "UPDATE change_head SET bound_ms = 100, former_bound_ms = 3000")
    assert await waiting.die(deed) > 3
    assert await waiting.die(deed) > 3


async def test_the_wait_is_counted_from_the_commit(waiting: Waiting) -> None:
    """A transaction that took long has not waited yet: nobody could see it."""
    assert await waiting.die(_nobody(lambda: waiting.clock.advance(60))) > _BOUND


async def test_no_connection_is_held_meanwhile(waiting: Waiting) -> None:
    await waiting.die(_nobody())
    assert waiting.in_use == [0]


async def test_a_caller_who_hangs_up_undoes_nothing(postgresql_world: World) -> None:
    key = await postgresql_world.new_key()
    began, go_on = asyncio.Event(), asyncio.Event()
    real = deaths.api_key(postgresql_world.company.id, key["id"], OPERATOR)

    async def deed(tx: AsyncSession, now: int) -> Outcome[None]:
        began.set()
        await go_on.wait()
        return await real(tx, now)

    calling = asyncio.create_task(Revocation(postgresql_world.keyhouse.database, MovableClock()).die(deed))
    await began.wait()
    calling.cancel()
    await asyncio.sleep(0)
    go_on.set()

    async def dead() -> bool:
        return await elsewhere.enter(postgresql_world, key["token"]) == 401

    await elsewhere.until(dead)


@pytest.mark.parametrize(
    ("overlap", "bound_ms", "waits"),
    [(0, 1000, True), (1, 1000, True), (2, 1000, True), (60, 1000, False), (5, 10_000, True), (60, 10_000, False)],
)
async def test_a_retirement_within_the_bound_waits_for_all_of_it(
    postgresql_world: World, waiting: Waiting, overlap: int, bound_ms: int, *, waits: bool
) -> None:
    """A worker that has not heard of it lets the old key in until the bound is over, however soon it retires. Its
    moment is cut to whole seconds: it may be one sooner.
    """
    world = postgresql_world
    key = await world.new_key()
    rotated = await world.request(
        "POST",
        f"{world.base}/api-keys/{key['id']}/rotate/",
        world.admin,
        json={"expires_in": 3600, "overlap": overlap},
    )
    await elsewhere.execute(world, f"UPDATE change_head SET bound_ms = {bound_ms}")
    for _ in range(2):
        waited = await waiting.die(deaths.retirement(rotated.json()["id"], Origin()))
        assert waited == 0 if not waits else waited > bound_ms / 1000


async def test_a_first_use_is_answered_when_its_predecessor_is_retired(world: World) -> None:
    key = await world.new_key()
    path = f"{world.base}/api-keys/{key['id']}/rotate/"
    rotated = await world.request("POST", path, world.admin, json={"expires_in": 3600, "overlap": 0})
    assert await elsewhere.enter(world, key["token"]) == 200
    assert await elsewhere.enter(world, rotated.json()["token"]) == 200
    async with world.keyhouse.database.reading() as tx:
        assert await tx.scalar(select(ApiKey.retires_at).where(ApiKey.id == key["id"])) is not None
    assert await elsewhere.enter(world, key["token"]) == 401


async def test_a_reused_refresh_token_says_so_only_when_the_session_is_dead(postgresql_world: World) -> None:
    """Also the second time, when the session has ended already: its answer came at once, and the access token lived."""
    world = postgresql_world
    first = world.member.tokens["refresh_token"]

    async def refresh(token: str) -> tuple[int, str]:
        answer = await world.request("POST", "/api/v1/auth/token/refresh/", json={"refresh_token": token})
        return answer.status_code, answer.json().get("refresh_token", "")

    status, second = await refresh(first)
    assert status == 200
    assert (await refresh(second))[0] == 200
    async with world.keyhouse.database.writing() as tx:
        await (await tx.connection()).exec_driver_sql("UPDATE change_head SET bound_ms = 500")
    loop = asyncio.get_running_loop()
    for _ in range(2):
        began = loop.time()
        assert (await refresh(first))[0] == 401
        assert loop.time() - began > 0.5


async def test_what_revokes_is_told_in_its_own_transaction(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """State, audit event and log are there together or not at all."""
    key = await world.new_key()
    real = changes.record

    async def failing(tx: AsyncSession, dead: Sequence[Death], at: int) -> float:
        await real(tx, dead, at)
        raise RuntimeError("after all of it")

    async with world.keyhouse.database.reading() as tx:
        before = await tx.scalar(select(ChangeHead.seq))
    with monkeypatch.context() as broken:
        broken.setattr(changes, "record", failing)
        with pytest.raises(RuntimeError):
            await elsewhere.revoke(world, key["id"])
    async with world.keyhouse.database.reading() as tx:
        assert await tx.scalar(select(ChangeHead.seq)) == before
        assert await tx.scalar(select(ApiKey.revoked_at).where(ApiKey.id == key["id"])) is None
        assert await tx.scalar(select(AuditEvent.id).where(AuditEvent.action == "api_key.revoked")) is None
    assert await elsewhere.enter(world, key["token"]) == 200


@pytest.mark.parametrize("way", ["key", "session"])
async def test_who_ends_itself_again_is_refused_when_it_is_dead_everywhere(postgresql_world: World, way: str) -> None:
    """The first answer was lost, and 401 to the second is taken for it."""
    world = postgresql_world
    if way == "key":
        key = await world.new_key()
        method, path, who = "DELETE", f"{world.base}/api-keys/{key['id']}/", bearer(key["token"])
    else:
        method, path, who = "POST", "/api/v1/auth/logout/", world.member.headers
    await elsewhere.execute(world, "UPDATE change_head SET bound_ms = 500")
    loop = asyncio.get_running_loop()
    for expected in (204, 401):
        began = loop.time()
        assert (await world.request(method, path, who)).status_code == expected
        assert loop.time() - began > 0.5
    # A refusal that no revocation brought about waits for nobody.
    began = loop.time()
    assert (await world.request(method, path, bearer("no token"))).status_code == 401
    assert loop.time() - began < 0.5
