"""`POST auth/token/`. Few tries: they are throttled."""

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import AUTH, Api

pytestmark = pytest.mark.contract("3")

_PAIR = ("access_token", "token_type", "expires_in", "refresh_token", "refresh_expires_in")
_NOBODY = "nobody-of-this-name@example.com"
_WRONG = "certainly not the password"


@pytest.fixture(scope="module")
def session(api: Api) -> Answer:
    """The answer to the first log-in."""
    return api.first_log_in


@pytest.fixture(scope="module")
def refused(api: Api) -> dict[str, Answer]:
    """The answers to a wrong password and to an unknown user."""
    return {"wrong password": api.log_in(password=_WRONG), "unknown user": api.log_in(_NOBODY, _WRONG)}


def check_pair(session: Answer) -> None:
    """A log-in gives an access token and a refresh token, and says for how many seconds."""
    body = expect.fields(session, 200, _PAIR)
    expect.same(session.asked, "token_type", "Bearer", body["token_type"])
    for name in ("expires_in", "refresh_expires_in"):
        good = type(body[name]) is int and body[name] > 0
        expect.that(good, session.asked, f"{name} in whole seconds", body[name])
    expect.that(body["expires_in"] < body["refresh_expires_in"], session.asked, "the access token to end first", body)


def check_access_token(api: Api, session: Answer) -> None:
    """The access token of a log-in is let in."""
    expect.status(api.send("GET", f"{AUTH}/me/", token=str(session.get("access_token"))), 200)


@pytest.mark.parametrize("who", ["wrong password", "unknown user"])
def check_refused(refused: dict[str, Answer], who: str) -> None:
    """A log-in that fails is 401 authentication_failed with a challenge."""
    expect.refusal(refused[who], 401, "authentication_failed")


def check_refused_alike(refused: dict[str, Answer]) -> None:
    """A wrong password and an unknown user are told the same bytes."""
    wrong, unknown = refused.values()
    expect.same(unknown.asked, "the bytes", wrong.text(), unknown.text())
    expect.same(unknown.asked, "the status", wrong.status, unknown.status)


def check_required(api: Api) -> None:
    """A log-in without e-mail and password is told both."""
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/token/", json={}))
    expect.invalid(answer, ("required", "email"), ("required", "password"))


def check_email(api: Api) -> None:
    """A log-in with something else than an e-mail address is 400 at email."""
    body = {"email": "not an address", "password": _WRONG}
    expect.invalid(api.patiently(lambda: api.send("POST", f"{AUTH}/token/", json=body)), ("invalid", "email"))
