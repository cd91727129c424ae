"""How often somebody may try, and who somebody is."""

import sys
from collections.abc import Awaitable, Callable

import pytest
from limits.errors import StorageError

from keyhouse.errors import Failure
from keyhouse.issuance.throttle import Throttle
from keyhouse.settings import ConfigurationError

A, B = "192.0.2.1", "192.0.2.2"


@pytest.fixture
def throttle() -> Throttle:
    return Throttle("3/minute", "memory://")


async def _is_let_in(awaitable: Awaitable[None]) -> bool:
    try:
        await awaitable
    except Failure as failure:
        refusal = failure
    else:
        return True
    assert refusal.status == 429
    seconds = int(refusal.headers["Retry-After"])
    assert 1 <= seconds <= 60
    assert refusal.entries[0].extra == {"retry_after": seconds}
    return False


async def _tries(how_often: int, work: Callable[[], Awaitable[None]]) -> list[bool]:
    return [await _is_let_in(work()) for _ in range(how_often)]


async def test_an_address_has_so_many_tries_whomever_it_means(throttle: Throttle) -> None:
    emails = iter(f"{number}@example.com" for number in range(9))
    assert await _tries(5, lambda: throttle.log_in(A, next(emails))) == [True] * 3 + [False] * 2
    assert await _is_let_in(throttle.log_in(B, "0@example.com"))


async def test_what_is_left_to_one_address_is_not_used_up_by_another(throttle: Throttle) -> None:
    """Or anybody could lock a user out."""
    await _tries(9, lambda: throttle.log_in(A, "ada@example.com"))
    assert await _is_let_in(throttle.log_in(B, "ada@example.com"))


async def test_a_password_is_tried_as_seldom_while_logged_in(throttle: Throttle) -> None:
    """By user as well: a stolen access token is worth as many tries from wherever."""
    addresses = iter(f"192.0.2.{number}" for number in range(99))
    assert await _tries(5, lambda: throttle.secret(next(addresses), "user")) == [True] * 3 + [False] * 2
    assert await _is_let_in(throttle.secret(B, "other"))


async def test_log_ins_and_tries_while_logged_in_are_counted_together_by_address(throttle: Throttle) -> None:
    await _tries(3, lambda: throttle.log_in(A, "ada@example.com"))
    assert not await _is_let_in(throttle.secret(A, "user"))


async def test_tokens_are_counted_apart(throttle: Throttle) -> None:
    assert await _tries(4, lambda: throttle.token(A)) == [True] * 3 + [False]
    assert await _is_let_in(throttle.token(B))
    assert await _is_let_in(throttle.log_in(A, "ada@example.com"))


@pytest.mark.parametrize(
    ("one", "other", "are_one"),
    [
        ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
        ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
        ("::ffff:192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        (None, "", True),
        ("testclient", "testclient", True),
        ("testclient", None, False),
    ],
)
async def test_who_is_one_client(throttle: Throttle, one: str | None, other: str | None, *, are_one: bool) -> None:
    """An IPv6 household has 2^64 addresses."""
    await _tries(3, lambda: throttle.log_in(one, "ada@example.com"))
    assert await _is_let_in(throttle.log_in(other, "eve@example.com")) is not are_one


async def test_a_count_that_cannot_be_kept_lets_nobody_try(throttle: Throttle, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> bool:
        raise StorageError(ConnectionError())

    monkeypatch.setattr(throttle._limiter, "hit", away)
    with pytest.raises(Failure) as caught:
        await throttle.log_in(A, "ada@example.com")
    assert (caught.value.status, caught.value.cause) == (503, "rate limit storage")


async def test_redis_that_is_away_is_503() -> None:
    """With the real client: the errors that it raises are those of the storage."""
    throttle = Throttle("3/minute", "redis://127.0.0.1:1/0")
    with pytest.raises(Failure) as caught:
        await throttle.token(A)
    assert (caught.value.status, caught.value.cause) == (503, "rate limit storage")


def test_a_client_that_is_not_installed_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "redis", None)
    with pytest.raises(ConfigurationError, match=r"^KEYHOUSE_RATE_LIMIT_STORAGE: Redis needs the extra"):
        Throttle("3/minute", "redis://127.0.0.1/0")
