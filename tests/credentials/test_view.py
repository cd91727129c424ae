"""What a view takes over and what it holds, whatever the database behind it."""

import pytest

from keyhouse.credentials.cache import StateCache
from keyhouse.credentials.changes import Death, Head
from keyhouse.credentials.state import Reading, State
from keyhouse.credentials.view import View
from keyhouse.errors import Failure
from keyhouse.tokens import TokenUse
from support.clock import MovableClock

NEVER = 1 << 40


class Bare(View):
    """A view without a database: a test tells it what the log and the loads say."""

    def held(self, credential_id: str) -> State | None:
        return self.cache.get(credential_id)

    async def load(self, use: TokenUse, credential_id: str) -> Reading:
        raise NotImplementedError

    def now(self) -> float:
        return self.clock.wall()

    async def open(self) -> None:
        raise NotImplementedError

    async def close(self) -> None:
        raise NotImplementedError


@pytest.fixture
def view() -> Bare:
    made = Bare(MovableClock())
    made.confirm(1.0, _head(10), [])
    return made


def _head(seq: int, *, pruned: int = 0, bound: float = 1.0, in_recovery: bool = False) -> Head:
    return Head(seq, pruned, bound, 0.0, in_recovery)


def _reading(seq: int, credential_id: str = "key", user_id: str = "user", expires_at: int = NEVER) -> Reading:
    return Reading(seq, State(credential_id, TokenUse.API_KEY, user_id, "c", frozenset(), {}, expires_at))


def test_a_view_begins_with_no_trust_in_anything() -> None:
    view = Bare(MovableClock())
    assert view.staleness() == float("inf")
    assert view.applied < 0
    assert view.since > 1 << 53


def test_a_view_uses_the_cache_that_it_is_given() -> None:
    cache = StateCache(7)
    assert Bare(MovableClock(), cache).cache is cache


def test_a_confirmation_counts_from_when_it_was_asked(view: Bare) -> None:
    view.confirm(17.5, _head(11, bound=2.5), [])
    assert (view.confirmed_at, view.bound, view.applied, view.since) == (17.5, 2.5, 11, 11)
    assert view.staleness() == pytest.approx(view.clock.elapsed() - 17.5, abs=0.1)


def test_the_log_names_what_is_forgotten(view: Bare) -> None:
    for name, user in (("a", "one"), ("b", "two"), ("c", "three"), ("d", "two")):
        view.admit(_reading(10, name, user))
    view.confirm(2.0, _head(13), [Death("api_key", "a"), Death("user", "two"), Death("session", "unknown")])
    assert [name for name in "abcd" if view.held(name)] == ["c"]


def test_a_death_of_one_kind_is_none_of_another(view: Bare) -> None:
    """Ids are unique, but a user's id must not be looked for among the credentials, nor the other way round."""
    view.admit(_reading(10, "key", "user"))
    view.confirm(2.0, _head(12), [Death("user", "key"), Death("api_key", "user")])
    assert view.held("key") is not None


@pytest.mark.parametrize(("seq", "is_held"), [(9, False), (10, True), (11, True)])
def test_a_state_from_before_an_applied_change_is_not_held(view: Bare, seq: int, *, is_held: bool) -> None:
    """The load was asked before the change and answered after it was applied: nobody would forget it any more."""
    view.admit(_reading(seq))
    assert (view.held("key") is not None) is is_held


def test_a_state_that_is_newer_than_the_view_is_forgotten_when_its_death_is_told(view: Bare) -> None:
    view.admit(_reading(12))
    view.confirm(2.0, _head(13), [Death("user", "other"), Death("api_key", "other"), Death("api_key", "key")])
    assert view.held("key") is None


def test_what_does_not_live_is_not_held(view: Bare) -> None:
    view.admit(Reading(10, None, "revoked"))
    assert len(view.cache) == 0


def test_what_has_expired_takes_no_place(view: Bare) -> None:
    """Whoever has many tokens that were good once could push out those that are."""
    now = int(view.now())
    view.admit(_reading(10, "expired", expires_at=now))
    view.admit(_reading(10, "live", expires_at=now + 60))
    assert view.held("expired") is None
    assert view.held("live") is not None


def test_a_head_that_went_back_empties_the_cache(view: Bare) -> None:
    """A backup was restored: what the log says from here on is another history."""
    view.admit(_reading(10))
    view.confirm(2.0, _head(9), [])
    assert len(view.cache) == 0
    assert view.applied == 9
    view.admit(_reading(9))
    assert view.held("key") is not None


def test_a_log_that_was_pruned_past_the_view_empties_the_cache(view: Bare) -> None:
    view.admit(_reading(10, "a"))
    view.confirm(2.0, _head(20, pruned=10), [])
    assert view.held("a") is not None
    view.confirm(3.0, _head(40, pruned=21), [Death("api_key", "b")])
    assert len(view.cache) == 0
    assert view.applied == 40


def test_a_server_in_recovery_confirms_nothing(view: Bare) -> None:
    view.admit(_reading(10))
    with pytest.raises(Failure) as caught:
        view.confirm(2.0, _head(99, in_recovery=True), [])
    assert (caught.value.status, caught.value.cause) == (503, "database is in recovery")
    assert (view.confirmed_at, view.applied) == (1.0, 10)
    assert view.held("key") is not None


def test_a_head_without_news_forgets_nothing(view: Bare) -> None:
    view.admit(_reading(10))
    view.confirm(2.0, _head(10), [])
    assert view.held("key") is not None
    assert view.confirmed_at == 2.0
