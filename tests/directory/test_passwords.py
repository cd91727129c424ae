"""What may be a password, and hashing that a storm of log-ins can't widen."""

import asyncio
import threading
import time
from collections.abc import Iterator

import pytest
from passlib.context import CryptContext

from keyhouse.directory import hashers, passwords
from keyhouse.directory.argon2id import CONTEXT
from keyhouse.directory.passwords import MAX_CHARACTERS, PasswordHashing, is_common, normalize, objection
from keyhouse.errors import Failure
from support.clock import MovableClock

GOOD = "a long enough passphrase"
WEAKER = CryptContext(
    schemes=["argon2"], argon2__type="ID", argon2__memory_cost=8192, argon2__time_cost=1, argon2__parallelism=1
)


@pytest.fixture
def hashing() -> Iterator[PasswordHashing]:
    made = PasswordHashing(workers=1, waiting=2)
    yield made
    made.close()


class Gate:
    """Stands in for the processes that hash: holds whoever comes until it is opened, and counts them."""

    def __init__(self) -> None:
        self.opened = threading.Event()
        self.inside = 0
        self.most = 0
        self.calls: list[tuple[str | None, ...]] = []
        self._lock = threading.Lock()

    def ask(self, *request: str | None) -> tuple[bool, str | None]:
        with self._lock:
            self.inside += 1
            self.most = max(self.most, self.inside)
            self.calls.append(request)
        self.opened.wait(5)
        with self._lock:
            self.inside -= 1
        return True, None


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    stands = Gate()
    monkeypatch.setattr(hashers, "ask", stands.ask)
    yield stands
    stands.opened.set()


@pytest.mark.parametrize(
    ("password", "code"),
    [
        ("fourteen chars", "min_length"),
        ("", "min_length"),
        ("\u1fb3" * 14, "min_length"),
        ("x" * (MAX_CHARACTERS + 1), "max_length"),
        ("\ufb03 correct horse" * 18, "max_length"),
        ("passwordpassword", "invalid"),
        ("PASSWORDpassword", "invalid"),
        ("qwertyuiopqwertyuiop", "invalid"),
        ("qwertyqwertyqwe", "invalid"),
        ("123456789012345678", "invalid"),
        ("aaaaaaaaaaaaaaaaaaaa", "invalid"),
        ("abcabcabcabcabcabc", "invalid"),
        ("\uff50\uff41\uff53\uff53\uff57\uff4f\uff52\uff44password", "invalid"),
    ],
)
def test_what_may_not_become_a_password(password: str, code: str) -> None:
    found = objection(password)
    assert found is not None
    assert found[0] == code
    assert not password or password not in found[1]


@pytest.mark.parametrize(
    "password",
    [
        "fifteen chars..",
        GOOD,
        "x1" * 4 + "abcdefghijklmnop",
        "correct horse battery staple",
        " leading and trailing ",
        "x" * 200 + "correct horse",
        "пароль из пяти слов",
        "\U0001f511" * 3 + "keys to the house",
    ],
)
def test_whatever_is_long_and_not_common_may(password: str) -> None:
    assert objection(password) is None


def test_a_password_of_the_list_is_common_in_any_case() -> None:
    assert is_common("password")
    assert is_common("PassWord")
    assert not is_common("")


def test_characters_are_counted_as_they_are_normalized() -> None:
    """The ligature is three letters: what is checked is what is hashed."""
    assert normalize("\ufb03") == "ffi"
    assert objection("\ufb03 correct hor") is None


async def test_a_password_typed_on_another_keyboard_is_the_same(hashing: PasswordHashing) -> None:
    stored = await hashing.hash("Äpfel und Birnen am Baum")
    assert (await hashing.verify("A\u0308pfel und Birnen am Baum", stored)) == (True, None)
    assert (await hashing.verify("apfel und Birnen am Baum", stored)) == (False, None)


async def test_a_hash_is_argon2id_with_the_parameters_of_the_design(hashing: PasswordHashing) -> None:
    first, second = await hashing.hash(GOOD), await hashing.hash(GOOD)
    assert first.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert first != second


async def test_a_hash_with_weaker_parameters_is_replaced(hashing: PasswordHashing) -> None:
    right, replacement = await hashing.verify(GOOD, WEAKER.hash(GOOD))
    assert right
    assert replacement is not None
    assert replacement.startswith("$argon2id$v=19$m=47104,t=1,p=1$")
    assert (await hashing.verify(GOOD, replacement)) == (True, None)
    assert (await hashing.verify("another passphrase", WEAKER.hash(GOOD))) == (False, None)


@pytest.mark.parametrize("stored", ["", "!", "plain", "$2b$12$abcdefghijklmnopqrstuv", "$argon2id$v=19$m=1$x"])
async def test_a_stored_text_that_is_no_hash_lets_nobody_in(stored: str, hashing: PasswordHashing) -> None:
    assert await hashing.verify(GOOD, stored) == (False, None)
    assert await hashing.verify("", stored) == (False, None)


@pytest.mark.parametrize("password", ["\ud800" * 20, "nul\0nul\0nul\0nul\0", "x" * 5000])
async def test_a_password_that_argon2_does_not_take_is_wrong(password: str, hashing: PasswordHashing) -> None:
    assert await hashing.verify(password, CONTEXT.hash(GOOD)) == (False, None)


async def test_beyond_the_queue_it_is_503_and_the_others_are_served(hashing: PasswordHashing, gate: Gate) -> None:
    served = [asyncio.create_task(hashing.verify(GOOD, "stored")) for _ in range(3)]
    await asyncio.sleep(0)
    assert hashing.pending == 3
    for work in (lambda: hashing.verify(GOOD, "stored"), lambda: hashing.hash(GOOD)):
        with pytest.raises(Failure) as caught:
            await work()
        assert (caught.value.status, caught.value.cause) == (503, "password queue is full")
    gate.opened.set()
    assert await asyncio.gather(*served) == [(True, None)] * 3
    assert gate.most == 1
    assert hashing.pending == 0
    assert await hashing.verify(GOOD, "stored") == (True, None)


class _StillClock(MovableClock):
    """Moved by hand alone."""

    __slots__ = ()

    def elapsed(self) -> float:
        return self.offset


class Away:
    """Sends people away, and tells what `Retry-After` said to them and for how long they were detained before."""

    def __init__(self, workers: int) -> None:
        self.clock = _StillClock()
        self.hashing = PasswordHashing(workers=workers, clock=self.clock, wait=self._wait)
        self.waited: list[float] = []

    async def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)

    async def back_in(self) -> float:
        with pytest.raises(Failure) as caught:
            await self.hashing.require_room()
        assert caught.value.status == 503
        return int(caught.value.headers["Retry-After"]) + self.waited[-1]


async def test_who_is_sent_away_comes_back_when_it_is_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """One after the other, as fast as hashes are made: sent away together, they don't come back together."""
    away = Away(workers=2)

    def takes_long(*_: str | None) -> tuple[bool, None]:
        away.clock.advance(0.7)
        return True, None

    monkeypatch.setattr(hashers, "ask", takes_long)
    for _ in range(100):
        await away.hashing.verify(GOOD, "stored")
    away.hashing.pending = 1000
    assert [await away.back_in() for _ in range(6)] == pytest.approx([1, 1.35, 1.7, 2.05, 2.4, 2.75], abs=1e-3)
    away.clock.advance(1)
    # The first of them came back; those that follow queue behind the last one.
    assert [await away.back_in() for _ in range(3)] == pytest.approx([2.1, 2.45, 2.8], abs=1e-3)
    away.clock.advance(60)
    assert await away.back_in() == 1
    # However many there are, nobody is sent away for good, and none for longer than a second before they are told.
    assert max([await away.back_in() for _ in range(1000)]) == 30
    assert 0 <= min(away.waited) <= max(away.waited) < 1
    away.hashing.close()


async def test_only_so_many_are_detained_at_once() -> None:
    """Each holds a connection, and a worker has only so many of those."""
    detained = asyncio.Event()

    async def wait(_: float) -> None:
        await detained.wait()

    made = PasswordHashing(workers=1, waiting=1, wait=wait)
    made.pending = 1000
    sent = [asyncio.create_task(made.require_room()) for _ in range(20)]
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert [task.done() for task in sent] == [False] * 8 + [True] * 12
    sent[0].cancel()
    await asyncio.sleep(0)
    another = asyncio.create_task(made.require_room())
    await asyncio.sleep(0)
    assert not another.done()
    assert {int(task.exception().headers["Retry-After"]) for task in sent[8:]} == {2}  # type: ignore[union-attr]
    detained.set()
    assert {type(found) for found in await asyncio.gather(*sent[1:], another, return_exceptions=True)} == {Failure}
    made.close()


async def test_the_event_loop_goes_on_meanwhile(hashing: PasswordHashing, gate: Gate) -> None:
    working = asyncio.create_task(hashing.verify(GOOD, "stored"))
    for _ in range(20):
        before = time.perf_counter()
        await asyncio.sleep(0.001)
        assert time.perf_counter() - before < 1
    assert not working.done()
    gate.opened.set()
    assert await working == (True, None)


async def test_who_hangs_up_leaves_the_queue(hashing: PasswordHashing, gate: Gate) -> None:
    waiting = [asyncio.create_task(hashing.verify(GOOD, "stored")) for _ in range(3)]
    await asyncio.sleep(0)
    for task in waiting[1:]:
        task.cancel()
    await asyncio.gather(*waiting[1:], return_exceptions=True)
    assert hashing.pending == 1
    gate.opened.set()
    await waiting[0]
    assert await hashing.verify(GOOD, "stored") == (True, None)
    assert len(gate.calls) == 2


def test_the_pool_leaves_a_core_to_the_guard(monkeypatch: pytest.MonkeyPatch) -> None:
    for cores, width in ((None, 1), (1, 1), (2, 1), (8, 7)):
        monkeypatch.setattr(passwords.os, "cpu_count", lambda cores=cores: cores)
        made = PasswordHashing()
        assert made._pool._max_workers == width
        assert made._limit == width * 17
        made.close()
