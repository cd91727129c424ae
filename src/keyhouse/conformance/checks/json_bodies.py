"""JSON as the standard has it: whatever else comes is 400 in the envelope, and never 500."""

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import AUTH, Api

pytestmark = pytest.mark.contract("1")

_NO_JSON = {
    "cut short": b'{"name": ',
    "a comma too many": b'{"name": "x",}',
    "single quotes": b"{'name': 'x'}",
    "something after it": b'{"name": "x"} x',
    "a control character": b'{"name": "a\x01b"}',
    "spaces": b"   ",
    "NaN": b'{"name": "x", "n": NaN}',
    "Infinity": b'{"name": "x", "n": -Infinity}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "no UTF-8": b'{"name": "\xff\xfe"}',
    "a byte order mark": b'\xef\xbb\xbf{"name": "x"}',
}
# They may be told as no JSON, or as a field that can't be so.
_BAD_JSON = {
    "1e400": b'{"name": "x", "description": 1e400}',
    "2^63": b'{"name": "x", "description": 9223372036854775808}',
    "5,000 digits": b'{"name": "x", "description": ' + b"9" * 5000 + b"}",
    "a name twice": b'{"name": "x", "name": "y"}',
    "a lone surrogate": b'{"name": "\\ud800"}',
    "30,000 lists": b'{"name": ' + b"[" * 30000 + b"]" * 30000 + b"}",
    "10,000 objects": b'{"name": ' + b'{"a":' * 10000 + b"1" + b"}" * 10000 + b"}",
    "30,000 brackets": b"[" * 30000,
}
_LOG_INS = {
    "NaN": b'{"email": "nobody@example.com", "password": "x", "n": NaN}',
    "a name twice": b'{"email": "nobody@example.com", "password": "x", "password": "y"}',
    "a lone surrogate": b'{"email": "nobody@example.com", "password": "\\ud800"}',
    "30,000 lists": b'{"email": ' + b"[" * 30000 + b"]" * 30000 + b"}",
}
_REFRESHES = {
    "NaN": b'{"refresh_token": "x", "n": NaN}',
    "a name twice": b'{"refresh_token": "x", "refresh_token": "y"}',
    "a lone surrogate": b'{"refresh_token": "\\ud800"}',
    "30,000 lists": b'{"refresh_token": ' + b"[" * 30000 + b"]" * 30000 + b"}",
}
_ROOTS = {
    "a list": (b"[]", "invalid"),
    "a text": (b'"name"', "invalid"),
    "a number": (b"1", "invalid"),
    "true": (b"true", "invalid"),
    "null": (b"null", "null"),
}


def _post(api: Api, path: str, body: bytes) -> Answer:
    headers = [("Content-Type", "application/json")]
    return api.send("POST", path, token=api.access, content=body, headers=headers)


@pytest.mark.parametrize("body", _NO_JSON.values(), ids=_NO_JSON)
def check_no_json(api: Api, body: bytes) -> None:
    """A body that is not JSON is 400 parse_error."""
    answer = _post(api, api.datasets, body)
    expect.refusal(answer, 400, "parse_error")


@pytest.mark.parametrize("body", _BAD_JSON.values(), ids=_BAD_JSON)
def check_bad_json(api: Api, body: bytes) -> None:
    """JSON that no two readers agree upon, or no database holds, is 400."""
    expect.envelope(_post(api, api.datasets, body), 400)


@pytest.mark.parametrize("body", _LOG_INS.values(), ids=_LOG_INS)
def check_log_in(api: Api, body: bytes) -> None:
    """A log-in is as strict about JSON."""
    headers = [("Content-Type", "application/json")]
    answer = api.patiently(lambda: api.send("POST", f"{AUTH}/token/", content=body, headers=headers))
    expect.envelope(answer, 400)


@pytest.mark.parametrize("body", _REFRESHES.values(), ids=_REFRESHES)
def check_refresh(api: Api, body: bytes) -> None:
    """A refresh is as strict about JSON."""
    headers = [("Content-Type", "application/json")]
    expect.envelope(api.send("POST", f"{AUTH}/token/refresh/", content=body, headers=headers), 400)


@pytest.mark.parametrize(("body", "code"), _ROOTS.values(), ids=_ROOTS)
def check_roots(api: Api, body: bytes, code: str) -> None:
    """JSON that is no object is 400 at non_field_errors."""
    expect.invalid(_post(api, api.datasets, body), (code, "non_field_errors"))
