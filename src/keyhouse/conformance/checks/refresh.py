"""`POST auth/token/refresh/`: a refresh token serves once, and what happens when it is presented again."""

from dataclasses import dataclass
from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import AUTH, Api
from keyhouse.conformance.volley import Volley

pytestmark = pytest.mark.contract("3")

_PAIR = ("access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in")
_REUSE_WINDOW_SECONDS = 10


def _refresh(api: Api, token: str) -> Answer:
    return api.send("POST", f"{AUTH}/token/refresh/", json={"refresh_token": token})


def _of(answer: Answer, name: str) -> str:
    """A member of an answer, or a text that is no token when there is no such answer: others judge that."""
    body: Any = answer.json() if answer.status == 200 else {}
    return str(body.get(name, "none")) if isinstance(body, dict) else "none"


def _me(api: Api, token: str) -> Answer:
    return api.send("GET", f"{AUTH}/me/", token=token)


@dataclass(frozen=True, slots=True)
class _Chain:
    """What one session's refresh tokens answered, in the order in which they were presented.

    `first` and `again` are the answers to `token`, the log-in's own; then the successor in `first` was presented, then
    that in `again`. `living` is what the session's newest access token was answered after that, `former` what its
    oldest was.
    """

    token: str
    first: Answer
    again: Answer
    successor: Answer
    sibling: Answer
    living: Answer
    former: Answer


@pytest.fixture(scope="module")
def chain(api: Api) -> _Chain:
    session = api.session()
    first = _refresh(api, session["refresh_token"])
    again = _refresh(api, session["refresh_token"])
    successor = _refresh(api, _of(first, "refresh_token"))
    sibling = _refresh(api, _of(again, "refresh_token"))
    living = _me(api, _of(successor, "access_token"))
    former = _me(api, session["access_token"])
    return _Chain(session["refresh_token"], first, again, successor, sibling, living, former)


def check_new_pair(chain: _Chain) -> None:
    """A refresh token gives a new pair."""
    body = expect.fields(chain.first, 200, _PAIR)
    expect.same(chain.first.asked, "token_type", "Bearer", body["token_type"])


def check_lost_answer(chain: _Chain) -> None:
    """The same token once more, at once, gives another pair: the first answer may have been lost."""
    expect.fields(chain.again, 200, _PAIR)
    differ = _of(chain.first, "refresh_token") != _of(chain.again, "refresh_token")
    expect.that(differ, chain.again.asked, "another refresh token", "the same")


def check_successor(chain: _Chain) -> None:
    """One of the two pairs can be gone on with."""
    expect.fields(chain.successor, 200, _PAIR)


def check_sibling(chain: _Chain) -> None:
    """The other is then 401, and the session lives."""
    expect.invalid_token(chain.sibling)
    expect.status(chain.living, 200)


def check_access_tokens_live_on(chain: _Chain) -> None:
    """An access token outlives a refresh, to its own end."""
    expect.status(chain.first, 200)
    expect.status(chain.former, 200)


def check_reuse(api: Api, chain: _Chain) -> None:
    """Any other reuse is 401 and ends the session: nothing of it is let in after that answer."""
    access = _of(chain.successor, "access_token")
    expect.status(_me(api, access), 200)
    answer = Volley(api, f"{AUTH}/me/", access).around(lambda: _refresh(api, chain.token))
    expect.invalid_token(answer)
    expect.invalid_token(_refresh(api, _of(chain.successor, "refresh_token")))


@pytest.mark.parametrize("token", ["garbage", "", "eyJhbGciOiJub25lIn0.e30."], ids=["garbage", "empty", "a JWT"])
def check_no_refresh_token(api: Api, token: str) -> None:
    """A text that is no refresh token is 401."""
    answer = _refresh(api, token)
    if token:
        expect.invalid_token(answer)
    else:
        expect.status(answer, 400, 401)


def check_access_token_refreshes_nothing(api: Api, access: str) -> None:
    """An access token is no refresh token."""
    expect.invalid_token(_refresh(api, access))


def check_required(api: Api) -> None:
    """Without a refresh token it is told that one is required."""
    expect.invalid(api.send("POST", f"{AUTH}/token/refresh/", json={}), ("required", "refresh_token"))


@pytest.mark.slow
def check_late_reuse(api: Api) -> None:
    """The same token once more after 10 s is 401 and ends the session."""
    session = api.session()
    first = expect.status(_refresh(api, session["refresh_token"]), 200)
    api.pause(_REUSE_WINDOW_SECONDS + 2)
    expect.invalid_token(_refresh(api, session["refresh_token"]))
    expect.invalid_token(_me(api, _of(first, "access_token")))
