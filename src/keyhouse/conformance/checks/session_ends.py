"""`logout/` and `password/`, and whose sessions they end."""

from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import AUTH, Api

pytestmark = pytest.mark.contract("3")


def _refresh(api: Api, session: dict[str, Any]) -> Answer:
    return api.send("POST", f"{AUTH}/token/refresh/", json={"refresh_token": session["refresh_token"]})


def _dead(api: Api, session: dict[str, Any]) -> None:
    expect.invalid_token(api.send("GET", f"{AUTH}/me/", token=session["access_token"]))
    expect.invalid_token(_refresh(api, session))


def check_logout_of_nobody(api: Api) -> None:
    """Nobody can be logged out without a token."""
    expect.refusal(api.send("POST", f"{AUTH}/logout/"), 401, "not_authenticated")


def check_password(api: Api, access: str) -> None:
    """A wrong current password is 400 at current_password."""
    body = {"current_password": "certainly not the password", "new_password": "a new and much longer password"}
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/password/", token=access, json=body))
    expect.invalid(answer, ("invalid", "current_password"))


@pytest.mark.parametrize(
    ("password", "code"),
    [
        pytest.param("fourteen chars", "min_length", id="14 characters"),
        pytest.param("long enough, " * 20, "max_length", id="260 characters"),
        pytest.param("passwordpassword", "invalid", id="a common one"),
        pytest.param("\uff50assword" * 2, "invalid", id="a common one in full width"),
    ],
)
def check_new_password(api: Api, access: str, password: str, code: str) -> None:
    """A new password has 15 to 256 characters and is not a common one."""
    # The current one is wrong, so that nothing is ever changed.
    body = {"current_password": "certainly not the password", "new_password": password}
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/password/", token=access, json=body))
    expect.invalid(answer, (code, "new_password"))


def check_password_ends_other_sessions(api: Api, access: str) -> None:
    """A change of the password ends the user's other sessions and keeps this one."""
    other = api.session()
    body = {"current_password": api.target.password, "new_password": api.target.password}
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/password/", token=access, json=body))
    # Only what the contract says of a password too weak for a new one; any other refusal fails below.
    if answer.status == 400 and [entry["attr"] for entry in expect.envelope(answer, 400)] == ["new_password"]:
        pytest.skip("the password that was given may not be set anew, and no other shall be")
    expect.status(answer, 204)
    expect.status(api.send("GET", f"{AUTH}/me/", token=access), 200)
    _dead(api, other)
