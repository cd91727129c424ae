"""What a check passes over for a reason, it passes over for that one alone."""

import json
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

from keyhouse.conformance.answer import Answer, Mismatch
from keyhouse.conformance.checks import session_ends


def _api(attr: str | None) -> Any:
    entry = {"code": "invalid", "detail": "Too common.", "attr": attr, "extra": None}
    body = json.dumps({"type": "validation_error", "errors": [entry]}).encode()
    refused = Answer("POST password/", 400, httpx.Headers({"Content-Type": "application/json"}), body)
    return SimpleNamespace(
        session=dict,
        patiently=lambda ask: ask(),
        send=lambda *_, **__: refused,
        target=SimpleNamespace(password="weak"),
    )


def test_a_password_that_is_too_weak_to_be_set_anew_is_a_reason() -> None:
    with pytest.raises(pytest.skip.Exception, match="may not be set anew"):
        session_ends.check_password_ends_other_sessions(_api("new_password"), "access")


@pytest.mark.parametrize("attr", ["current_password", None])
def test_any_other_refusal_of_a_change_of_password_is_none(attr: str | None) -> None:
    # A skip would count as no failure of this test either.
    with pytest.raises((Mismatch, pytest.skip.Exception)) as caught:
        session_ends.check_password_ends_other_sessions(_api(attr), "access")
    assert caught.type is Mismatch
