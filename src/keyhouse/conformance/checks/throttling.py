"""Too many tries at a log-in. Last, since nobody of this address may log in for a while after it."""

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import AUTH, Api

pytestmark = [pytest.mark.contract("3"), pytest.mark.slow]

_MOST_TRIES = 40


def check_throttled(api: Api) -> None:
    """Too many log-ins are 429 throttled, with Retry-After and the same number in extra."""
    body = {"email": "nobody-of-this-name@example.com", "password": "certainly not the password"}
    for _ in range(_MOST_TRIES):
        answer = api.send("POST", f"{AUTH}/token/", json=body)
        if answer.status == 429:
            break
    else:
        # The contract leaves the rate to the operator: more tries would be an attack on a server, and no proof.
        pytest.skip(f"{_MOST_TRIES} log-ins in a row are not too many for this server")
    seconds = answer.headers.get("Retry-After", "")
    expect.that(seconds.isdigit() and int(seconds) > 0, answer.asked, "Retry-After in whole seconds", answer.told())
    expect.refusal(answer, 429, "throttled", extra={"retry_after": int(seconds)})
