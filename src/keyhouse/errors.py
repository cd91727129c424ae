"""The catalogue: every code that an answer of Keyhouse can carry, with its status and its text.

Rooms raise `Failure`; `http.envelope` alone turns one into an answer. A `cause` is for the log and the metrics:
the client sees one text for every cause, the operator sees which it was.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True, slots=True)
class Code:
    """One row of the catalogue: HTTP status and the default text."""

    status: int
    detail: str


CATALOGUE: Mapping[str, Code] = {
    "not_authenticated": Code(401, "Authentication credentials were not provided."),
    "invalid_token": Code(401, "The provided token is expired or invalid."),
    "authentication_failed": Code(401, "Incorrect authentication credentials."),
    "permission_denied": Code(403, "You do not have permission to perform this action."),
    "not_found": Code(404, "Not found."),
    "method_not_allowed": Code(405, 'Method "{method}" not allowed.'),
    "conflict": Code(409, "The request conflicts with the present state."),
    "request_too_large": Code(413, "Request body is too large."),
    "unsupported_media_type": Code(415, "Unsupported media type in request."),
    "throttled": Code(429, "Request was throttled. Expected available in {seconds}."),
    "parse_error": Code(400, "JSON parse error."),
    "error": Code(500, "A server error occurred."),
    "service_unavailable": Code(503, "Service temporarily unavailable, try again later."),
}

VALIDATION: Mapping[str, str] = {
    "required": "This field is required.",
    "null": "This field may not be null.",
    "blank": "This field may not be blank.",
    "max_length": "Ensure this field has no more than {n} {unit}.",
    "min_length": "Ensure this field has at least {n} {unit}.",
    "empty": "This list may not be empty.",
    "invalid": "Invalid value.",
    "invalid_choice": '"{choice}" is not a valid choice.',
    "not_a_list": 'Expected a list of items but got type "{type}".',
    "min_value": "Ensure this value is greater than or equal to {n}.",
    "max_value": "Ensure this value is less than or equal to {n}.",
    "null_characters_not_allowed": "Null characters are not allowed.",
    "surrogate_characters_not_allowed": "Surrogate characters are not allowed.",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """One element of the envelope's `errors`."""

    code: str
    detail: str
    attr: str | None = None
    extra: Mapping[str, Any] | None = None


@dataclass(eq=False)
class Failure(Exception):  # noqa: N818 - most of them are verdicts, not errors
    """A refusal that becomes an answer: its status, its entries, and the cause that only the operator sees."""

    status: int
    entries: tuple[Entry, ...]
    headers: Mapping[str, str] = field(default_factory=dict)
    cause: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.entries[0].code}" + (f" ({self.cause})" if self.cause else "")


def failure(
    code: str,
    *,
    detail: str | None = None,
    extra: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
    cause: str | None = None,
) -> Failure:
    """A failure by its code in `CATALOGUE`; `detail` replaces the default text."""
    row = CATALOGUE[code]
    return Failure(row.status, (Entry(code, detail or row.detail, None, extra),), headers or {}, cause)


def invalid_token(cause: str) -> Failure:
    """401, the one answer for every token that is not live (RFC 6750 section 3.1)."""
    return failure("invalid_token", cause=cause)


def not_found(cause: str | None = None) -> Failure:
    """404, the same for what does not exist and for what is another company's."""
    return failure("not_found", cause=cause)


def permission_denied(extra: Mapping[str, Any] | None = None, *, cause: str | None = None) -> Failure:
    """403; `extra` says what would have been needed."""
    return failure("permission_denied", extra=extra, cause=cause)


def unavailable(cause: str, retry_after: int = 1) -> Failure:
    """503 with `Retry-After` in seconds: nothing was decided, and nobody was let in."""
    return failure("service_unavailable", headers={"Retry-After": str(retry_after)}, cause=cause)


def throttled(seconds: int, detail: str | None = None) -> Failure:
    """429: how many whole seconds until the next try may succeed; `detail` replaces the default text."""
    wait = f"{seconds} second{'' if seconds == 1 else 's'}"
    return failure(
        "throttled",
        detail=detail or CATALOGUE["throttled"].detail.format(seconds=wait),
        extra={"retry_after": seconds},
        headers={"Retry-After": str(seconds)},
    )


def invalid(entries: Iterable[Entry]) -> Failure:
    """400 `validation_error`, one entry for each field that is wrong."""
    return Failure(400, tuple(entries))


def invalid_field(attr: str, detail: str | None = None, code: str = "invalid") -> Failure:
    """400 for a single field."""
    return invalid([Entry(code, detail or VALIDATION[code], attr)])
