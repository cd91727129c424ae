"""The checker of histories, on histories made up: it finds what is wrong and invents nothing."""

import pytest

from support.history import Death, Findings, History, Request, in_words

_KEY = frozenset({"key"})


def _request(began: float, status: int = 204, subject: str = "key", worker: int = 0) -> Request:
    return Request(subject, worker, began, began + 0.5, status)


def _death(began: float, answered: float | None, subjects: frozenset[str] = _KEY, cause: str = "DELETE") -> Death:
    return Death(cause, subjects, began, answered)


def test_a_request_that_began_after_the_answer_and_was_let_in_is_late() -> None:
    late = _request(5.001)
    found = History([_request(1.0), late], [_death(3.0, 5.0)]).late()
    assert [violation.request for violation in found] == [late]
    assert str(found[0]) == "key at worker 0: 204, begun 1.0 ms after DELETE was answered"


@pytest.mark.parametrize("status", [200, 204, 299])
def test_every_success_is_being_let_in(status: int) -> None:
    assert History([_request(6.0, status)], [_death(3.0, 5.0)]).late()


@pytest.mark.parametrize("status", [400, 401, 403, 404, 429, 500, 503])
def test_a_refusal_is_never_late(status: int) -> None:
    assert not History([_request(6.0, status)], [_death(3.0, 5.0)]).late()


def test_a_request_that_began_before_the_answer_may_end_whenever_it_likes() -> None:
    requests = [Request("key", 0, 4.999, 9.0, 204), Request("key", 0, 5.0, 9.0, 204)]
    assert not History(requests, [_death(3.0, 5.0)]).late()


def test_a_death_says_nothing_of_another_subject() -> None:
    assert not History([_request(6.0, subject="session")], [_death(3.0, 5.0)]).late()


def test_a_death_that_was_not_answered_promises_nothing() -> None:
    assert not History([_request(6.0)], [_death(3.0, None)]).late()


@pytest.mark.parametrize("swapped", [False, True])
def test_the_earliest_answer_of_several_counts(swapped: bool) -> None:  # noqa: FBT001 - a case
    deaths = [_death(3.0, 9.0, cause="DELETE"), _death(4.0, 5.0, cause="logout"), _death(1.0, None, cause="none")]
    found = History([_request(6.0)], deaths[::-1] if swapped else deaths).late()
    assert [violation.death.cause for violation in found if violation.death] == ["logout"]


def test_an_answer_of_a_wider_death_counts_for_each_of_its_subjects() -> None:
    death = _death(3.0, 5.0, frozenset({"key", "session"}))
    assert len(History([_request(6.0), _request(6.0, subject="session")], [death]).late()) == 2


@pytest.mark.parametrize("status", [400, 401, 403, 404, 500])
def test_a_refusal_before_any_death_began_is_early(status: int) -> None:
    found = History([_request(1.0, status)], [_death(3.0, 5.0)]).early()
    assert str(found[0]) == f"key at worker 0: {status}, before anything was revoked"


def test_a_refusal_while_a_death_may_have_happened_is_not_early() -> None:
    requests = [_request(2.6, 401), _request(3.5, 401), _request(7.0, 401)]
    assert not History(requests, [_death(3.0, 5.0)]).early()
    assert not History(requests, [_death(3.0, None)]).early()


def test_a_refusal_of_what_nobody_revoked_is_early() -> None:
    assert len(History([_request(9.0, 401, "session")], [_death(3.0, 5.0)]).early()) == 1


def test_what_is_undecided_is_neither() -> None:
    history = History([_request(1.0, 503), _request(6.0, 503)], [_death(3.0, 5.0)])
    assert not history.early()
    assert not history.late()


def test_a_history_in_which_all_is_well_has_no_violation() -> None:
    requests = [_request(n / 10, 204 if n < 40 else 401, worker=n % 2) for n in range(100)]
    history = History(requests, [_death(3.5, 5.0), _death(3.6, 5.0)])
    assert not history.late()
    assert not history.early()


def test_it_counts_what_tried_each_death_at_each_worker() -> None:
    requests = [_request(4.0), _request(6.0, 401), _request(6.0, 401, worker=1), _request(7.0, 401, worker=1)]
    requests.append(_request(6.0, subject="session"))
    tested = History(requests, [_death(3.0, 5.0), _death(3.0, None, cause="logout")]).tested()
    assert tested == {("DELETE", 0): 1, ("DELETE", 1): 2}


def test_findings_add_up() -> None:
    findings = Findings()
    findings.add("one", History([_request(1.0), _request(6.0)], [_death(3.0, 5.0), _death(3.0, None, cause="logout")]))
    findings.add("two", History([_request(1.0, 401), _request(6.0, 401)], [_death(3.0, 5.0)]))
    assert (findings.requests, findings.deaths) == (4, 2)
    assert findings.answered == {"DELETE": 2}
    assert findings.statuses == {204: 2, 401: 2}
    assert findings.tested == {("DELETE", 0): 2}
    assert in_words(findings.late) == "one: key at worker 0: 204, begun 1000.0 ms after DELETE was answered"
    assert in_words(findings.early) == "two: key at worker 0: 401, before anything was revoked"


def test_a_long_list_of_violations_is_cut() -> None:
    assert in_words(["a", "b", "c"], most=2) == "a\nb\nand 1 more"
