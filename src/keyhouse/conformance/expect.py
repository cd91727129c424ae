"""What a check expects. What it received instead is told as a `Mismatch`, in words that need no Python."""

import json
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from keyhouse.conformance.answer import Answer, Mismatch

INVALID_TOKEN = (
    b'{"type":"client_error","errors":[{"code":"invalid_token",'
    b'"detail":"The provided token is expired or invalid.","attr":null,"extra":null}]}'
)
BARE_CHALLENGE = 'Bearer realm="api"'
DEAD_CHALLENGE = (
    'Bearer realm="api", error="invalid_token", error_description="The provided token is expired or invalid."'
)
_DETAILS = {
    "not_authenticated": "Authentication credentials were not provided.",
    "invalid_token": "The provided token is expired or invalid.",
    "not_found": "Not found.",
}
_ENTRY = ("code", "detail", "attr", "extra")
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", re.ASCII)
_UUID7 = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_BAD_REQUEST, _UNAUTHORIZED, _SERVER_ERROR = 400, 401, 500


def status(answer: Answer, *expected: int) -> Answer:
    """One of these statuses."""
    if answer.status not in expected:
        raise Mismatch(answer.asked, " or ".join(map(str, expected)), answer.told())
    return answer


def same(asked: str, what: str, expected: object, received: object) -> None:
    """Two values that are equal; `what` names them."""
    if expected != received:
        raise Mismatch(asked, f"{what} {_show(expected)}", _show(received))


def that(holds: object, asked: str, expected: str, received: object) -> None:
    """Anything else."""
    if not holds:
        raise Mismatch(asked, expected, received if isinstance(received, str) else _show(received))


def header(answer: Answer, name: str, expected: str | None) -> None:
    """A header with exactly this value; None for no such header."""
    found = answer.headers.get(name)
    if found != expected:
        wanted = f"no header {name}" if expected is None else f"{name}: {expected}"
        raise Mismatch(answer.asked, wanted, f"no header {name}" if found is None else f"{name}: {found}")


def fields(answer: Answer, status_: int, names: Iterable[str]) -> dict[str, Any]:
    """A JSON object with exactly these members."""
    return members(status(answer, status_).asked, answer.json(), names)


def members(asked: str, value: Any, names: Iterable[str]) -> dict[str, Any]:
    """The same for an object inside of an answer."""
    wanted = sorted(names)
    if not isinstance(value, dict) or sorted(value) != wanted:
        received = f"an object with {', '.join(sorted(value))}" if isinstance(value, dict) else _show(value)
        raise Mismatch(asked, f"an object with {', '.join(wanted)}", received)
    return value


def refusal(
    answer: Answer,
    status_: int,
    code_: str,
    *,
    extra: Mapping[str, Any] | None = None,
    challenge: str | None = None,
) -> None:
    """The envelope with one error that belongs to no field. A 401 carries `challenge`, or the one of its code."""
    entry = envelope(answer, status_)[0]
    same(answer.asked, "code", code_, entry["code"])
    same(answer.asked, "attr", None, entry["attr"])
    same(answer.asked, "extra", extra, entry["extra"])
    if code_ in _DETAILS:
        same(answer.asked, "detail", _DETAILS[code_], entry["detail"])
    if status_ == _UNAUTHORIZED and challenge is None:
        challenge = DEAD_CHALLENGE if code_ == "invalid_token" else BARE_CHALLENGE
    if challenge is not None:
        header(answer, "WWW-Authenticate", challenge)


def code(answer: Answer, status_: int, expected: str) -> None:
    """The envelope with this code, whatever else it says."""
    same(answer.asked, "code", expected, envelope(answer, status_)[0]["code"])


def invalid_token(answer: Answer) -> None:
    """401, byte for byte as documented, with its challenge."""
    status(answer, _UNAUTHORIZED)
    same(answer.asked, "the bytes", INVALID_TOKEN.decode(), answer.text())
    header(answer, "WWW-Authenticate", DEAD_CHALLENGE)


def invalid(answer: Answer, *expected: tuple[str, str]) -> None:
    """400 with exactly these (code, attr), in this order."""
    found = [(entry["code"], entry["attr"]) for entry in envelope(answer, _BAD_REQUEST)]
    if found != list(expected):
        raise Mismatch(answer.asked, f"400 with {_pairs(expected)}", _pairs(found))


def envelope(answer: Answer, status_: int) -> list[dict[str, Any]]:
    """The entries of an error of this status, which is the documented envelope and nothing else."""
    status(answer, status_)
    media_type = answer.headers.get("Content-Type", "none").partition(";")[0].strip().lower()
    same(answer.asked, "Content-Type", "application/json", media_type)
    body = members(answer.asked, answer.json(), ("type", "errors"))
    errors = body["errors"]
    if not isinstance(errors, list) or not errors:
        raise Mismatch(answer.asked, "a list of errors", _show(errors))
    for entry in errors:
        members(answer.asked, entry, _ENTRY)
        well = isinstance(entry["code"], str) and isinstance(entry["detail"], str) and entry["detail"]
        that(well, answer.asked, "a code and a detail, both text", entry)
    if status_ >= _SERVER_ERROR:
        kind = "server_error"
    elif status_ == _BAD_REQUEST and errors[0]["code"] != "parse_error":
        kind = "validation_error"
    else:
        kind = "client_error"
    same(answer.asked, "type", kind, body["type"])
    return errors


def page(answer: Answer) -> tuple[list[dict[str, Any]], str | None]:
    """The results of a list, and the cursor to the next page."""
    body = fields(answer, 200, ("results", "next_cursor"))
    that(isinstance(body["results"], list), answer.asked, "results that are a list", body["results"])
    cursor = body["next_cursor"]
    that(cursor is None or isinstance(cursor, str), answer.asked, "a next_cursor that is text or null", cursor)
    return body["results"], cursor


def moment(asked: str, what: str, value: object) -> None:
    """A time in RFC 3339, UTC, whole seconds."""
    good = isinstance(value, str) and _TIME.fullmatch(value)
    that(good, asked, f"{what} as RFC 3339 in UTC, whole seconds: 2030-01-31T00:00:00Z", value)


def uuid7(asked: str, what: str, value: object) -> None:
    """A UUIDv7 in lower case."""
    that(isinstance(value, str) and _UUID7.fullmatch(value), asked, f"{what} as a UUIDv7 in lower case", value)


def none_of(asked: str, what: str, unwanted: Collection[object], found: Collection[object]) -> None:
    """No member in common."""
    both = [value for value in unwanted if value in found]
    that(not both, asked, f"{what} without {_show(list(unwanted))}", list(found))


def _pairs(entries: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{what} at {attr}" for what, attr in entries)


def _show(value: object) -> str:
    try:
        return json.dumps(value, ensure_ascii=False)
    except (TypeError, ValueError):
        return str(value)
