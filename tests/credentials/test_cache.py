"""States that are held: bounded, dropped by credential and by user, nothing left behind."""

from hypothesis import given, settings
from hypothesis import strategies as st

from keyhouse.credentials.cache import StateCache
from keyhouse.credentials.state import State
from keyhouse.tokens import TokenUse


def _state(credential_id: str, user_id: str = "user", expires_at: int = 1) -> State:
    return State(credential_id, TokenUse.API_KEY, user_id, "company", frozenset(), {}, expires_at)


def test_what_is_put_is_got() -> None:
    cache = StateCache()
    state = _state("a")
    cache.put(state)
    assert cache.get("a") is state
    assert cache.get("b") is None
    assert len(cache) == 1


def test_a_state_takes_the_place_of_the_former_one() -> None:
    cache = StateCache()
    cache.put(_state("a", "first"))
    cache.put(second := _state("a", "second"))
    assert cache.get("a") is second
    assert len(cache) == 1
    cache.forget_user("first")
    assert cache.get("a") is second
    cache.forget_user("second")
    assert len(cache) == 0


def test_the_least_recently_used_leaves_first() -> None:
    cache = StateCache(3)
    for name in "abc":
        cache.put(_state(name))
    cache.get("a")
    cache.put(_state("b"))
    cache.put(_state("d"))
    assert [name for name in "abcd" if cache.get(name)] == ["a", "b", "d"]
    assert len(cache) == 3


def test_forgetting_a_user_forgets_theirs_alone() -> None:
    cache = StateCache()
    for name, user in (("a", "one"), ("b", "two"), ("c", "one")):
        cache.put(_state(name, user))
    cache.forget_user("one")
    assert [name for name in "abc" if cache.get(name)] == ["b"]
    cache.forget_user("nobody")
    cache.forget("nothing")
    assert len(cache) == 1


def test_nothing_is_left_of_what_left() -> None:
    """Or memory would grow with the number of users ever seen."""
    cache = StateCache(2)
    for number in range(100):
        cache.put(_state(f"key {number}", f"user {number}"))
    assert len(cache._of_user) == 2
    cache.forget("key 99")
    assert len(cache._of_user) == 1
    cache.clear()
    assert len(cache) == 0
    assert cache._of_user == {}


_NAMES = st.sampled_from("abcdef")
_STEPS = st.one_of(
    st.tuples(st.just("put"), _NAMES, st.sampled_from("xyz")),
    st.tuples(st.sampled_from(["get", "forget", "forget_user"]), st.sampled_from("abcdefxyz")),
    st.just(("clear",)),
)


@settings(deadline=None)
@given(st.lists(_STEPS, max_size=60))
def test_it_does_what_a_list_would(steps: list[tuple[str, ...]]) -> None:
    cache, model = StateCache(3), dict[str, str]()
    for name, *arguments in steps:
        if name == "put":
            cache.put(_state(*arguments))
            model.pop(arguments[0], None)
            model[arguments[0]] = arguments[1]
            if len(model) > 3:
                del model[next(iter(model))]
        else:
            getattr(cache, name)(*arguments)
            if name == "get" and arguments[0] in model:
                model[arguments[0]] = model.pop(arguments[0])
            elif name == "forget":
                model.pop(arguments[0], None)
            elif name == "forget_user":
                model = {key: user for key, user in model.items() if user != arguments[0]}
            elif name == "clear":
                model = {}
        assert {key: state.user_id for key, state in cache._states.items()} == model
        assert {user: ids for user, ids in cache._of_user.items() if not ids} == {}
        assert {key for ids in cache._of_user.values() for key in ids} == set(model)
