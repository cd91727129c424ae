"""The one check of an error answer: whatever refused, its shape, texts and headers are those of the documentation."""

import json
import re
from dataclasses import dataclass
from typing import Any

import httpx

_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_BEARER = 'Bearer realm="api"'
INVALID_TOKEN = (
    b'{"type":"client_error","errors":[{"code":"invalid_token",'
    b'"detail":"The provided token is expired or invalid.","attr":null,"extra":null}]}'
)
INVALID_TOKEN_CHALLENGE = (
    'Bearer realm="api", error="invalid_token", error_description="The provided token is expired or invalid."'
)
NOT_FOUND = b'{"type":"client_error","errors":[{"code":"not_found","detail":"Not found.","attr":null,"extra":null}]}'


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the table of codes: `detail` is a regular expression, `own` says that a route may word it itself."""

    status: int
    type: str
    detail: str
    own: bool = False


CODES = {
    "not_authenticated": Row(401, "client_error", r"Authentication credentials were not provided\."),
    "invalid_token": Row(401, "client_error", r"The provided token is expired or invalid\."),
    "authentication_failed": Row(401, "client_error", r"Incorrect authentication credentials\."),
    "permission_denied": Row(403, "client_error", r"You do not have permission to perform this action\.", own=True),
    "not_found": Row(404, "client_error", r"Not found\.", own=True),
    "method_not_allowed": Row(405, "client_error", r'Method "[^"]{1,100}" not allowed\.'),
    "conflict": Row(409, "client_error", r".+\.", own=True),
    "request_too_large": Row(413, "client_error", r"Request body is too large\."),
    "unsupported_media_type": Row(415, "client_error", r"Unsupported media type in request\."),
    "throttled": Row(
        429, "client_error", r"Request was throttled\. Expected available in (1 second|\d+ seconds)\.", own=True
    ),
    "parse_error": Row(400, "client_error", r"JSON parse error(\.| - [A-Z][^:]+: line \d+ column \d+ \(char \d+\))"),
    "error": Row(500, "server_error", r"A server error occurred\."),
    "service_unavailable": Row(503, "server_error", r"Service temporarily unavailable, try again later\."),
    "required": Row(400, "validation_error", r"This field is required\."),
    "null": Row(400, "validation_error", r"This field may not be null\.|No data provided\."),
    "blank": Row(400, "validation_error", r"This field may not be blank\."),
    "max_length": Row(400, "validation_error", r"Ensure this field has no more than \d+ (characters|elements)\."),
    "min_length": Row(400, "validation_error", r"Ensure this field has at least \d+ (characters|elements)\."),
    "empty": Row(400, "validation_error", r"This list may not be empty\."),
    "invalid": Row(400, "validation_error", r".+\.", own=True),
    "invalid_choice": Row(400, "validation_error", r'"(?s:.{0,100})" is not a valid choice\.'),
    "not_a_list": Row(400, "validation_error", r'Expected a list of items but got type "\w+"\.'),
    "min_value": Row(400, "validation_error", r"Ensure this value is greater than or equal to -?\d+\."),
    "max_value": Row(400, "validation_error", r"Ensure this value is less than or equal to -?\d+\."),
    "null_characters_not_allowed": Row(400, "validation_error", r"Null characters are not allowed\."),
    "surrogate_characters_not_allowed": Row(400, "validation_error", r"Surrogate characters are not allowed\."),
}


def errors_of(answer: httpx.Response) -> list[dict[str, Any]]:
    """The entries of an error answer, once everything about it was found to be as documented."""
    check_headers(answer)
    text = answer.content.decode("utf-8")
    told = json.loads(text, object_pairs_hook=_unique)
    assert text == json.dumps(told, ensure_ascii=False, separators=(",", ":")), "not compact UTF-8"
    assert list(told) == ["type", "errors"]
    entries: list[dict[str, Any]] = told["errors"]
    assert entries
    for entry in entries:
        assert list(entry) == ["code", "detail", "attr", "extra"]
        _check_entry(answer.status_code, told["type"], entry)
    if told["type"] != "validation_error":
        assert len(entries) == 1
    _check_challenge(answer, entries[0])
    return entries


def assert_error(
    answer: httpx.Response,
    code: str,
    *,
    detail: str | None = None,
    attr: str | None = None,
    extra: dict[str, Any] | None = None,
    status: int | None = None,
) -> None:
    """The answer is this one error and nothing else; without `detail`, with the text of the table."""
    entries = errors_of(answer)
    assert [(entry["code"], entry["attr"], entry["extra"]) for entry in entries] == [(code, attr, extra)], answer.text
    assert answer.status_code == (status or CODES[code].status)
    if detail is not None:
        assert entries[0]["detail"] == detail
    elif not CODES[code].own or code in {"permission_denied", "not_found"}:
        assert re.fullmatch(CODES[code].detail, entries[0]["detail"]), answer.text


def check_headers(answer: httpx.Response) -> None:
    """What every error answer below `/api/` has in its head."""
    assert answer.headers.get_list("content-type") == ["application/json"]
    check_conventions(answer)
    assert ("allow" in answer.headers) == (answer.status_code == 405)
    retry_after = answer.headers.get_list("retry-after")
    if answer.status_code in {429, 503}:
        assert len(retry_after) == 1
        assert re.fullmatch(r"[1-9]\d*", retry_after[0])
    else:
        assert retry_after == []


def check_conventions(answer: httpx.Response) -> None:
    """What every answer below `/api/` has in its head."""
    assert answer.headers.get_list("cache-control") == ["no-store"]
    (request_id,) = answer.headers.get_list("x-request-id")
    assert _ID.fullmatch(request_id)


def _check_entry(status: int, kind: str, entry: dict[str, Any]) -> None:
    code, extra = entry["code"], entry["extra"]
    assert code in CODES
    row = CODES[code]
    # `error` also stands for a status of an embedded route that the table does not have.
    if code != "error":
        assert (status, kind) == (row.status, row.type)
        assert row.own or re.fullmatch(row.detail, entry["detail"]), entry["detail"]
    else:
        assert kind == ("client_error" if status < 500 else "server_error")
    if kind == "validation_error":
        # Only a field that nobody knows may have no name.
        assert isinstance(entry["attr"], str)
        assert entry["attr"] or entry["detail"] == "Unexpected field."
    else:
        assert entry["attr"] is None
    if code == "throttled":
        assert list(extra) == ["retry_after"]
        assert type(extra["retry_after"]) is int
    elif code == "permission_denied" and extra is not None:
        assert list(extra) in (["required_scopes"], ["required_role"])
    else:
        assert extra is None


def _check_challenge(answer: httpx.Response, entry: dict[str, Any]) -> None:
    expected: list[str] = []
    if entry["code"] == "invalid_token":
        assert answer.content == INVALID_TOKEN
        expected = [INVALID_TOKEN_CHALLENGE]
    elif answer.status_code == 401:
        expected = [_BEARER]
    elif entry["extra"] and "required_scopes" in entry["extra"]:
        scope = " ".join(entry["extra"]["required_scopes"])
        expected = [f'{_BEARER}, error="insufficient_scope", scope="{scope}"']
    assert answer.headers.get_list("www-authenticate") == expected
    if entry["code"] == "throttled":
        assert answer.headers["retry-after"] == str(entry["extra"]["retry_after"])


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    assert len({name for name, _ in pairs}) == len(pairs)
    return dict(pairs)
