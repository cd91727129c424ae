"""Fields of requests and answers: what is taken, in which words it is refused, and how times are written."""

import base64
import binascii
import re
import unicodedata
from datetime import UTC, datetime
from typing import Annotated, Any

from fastapi import Path, Query
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    PlainSerializer,
    SecretStr,
    WithJsonSchema,
)
from pydantic.json_schema import SkipJsonSchema

from keyhouse.db.base import ID_PATTERN, is_id
from keyhouse.directory.passwords import MAX_CHARACTERS, MIN_CHARACTERS, objection
from keyhouse.directory.users import canonical_email
from keyhouse.errors import VALIDATION
from keyhouse.http.validation import DATETIME_FORMAT, refusal

_RFC3339 = re.compile(r"\d{4}-\d\d-\d\d[Tt]\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?(?:[Zz]|[+-]\d\d:\d\d)", re.ASCII)
_MAX_NAME = 100
_MAX_DESCRIPTION = 10_000
_MAX_SECRET = 4096
_SURROGATES = ("surrogate_characters_not_allowed", VALIDATION["surrogate_characters_not_allowed"])


class Body(BaseModel):
    """A request's body: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", frozen=True)


# The default of a field that may be left out and is never null.
LEFT_OUT: Any = None


class Answer(BaseModel):
    """An answer's body."""

    model_config = ConfigDict(frozen=True)


def _has_surrogates(text: str) -> bool:
    """Lone surrogates have no bytes: nothing could hash, sign or store them."""
    return any("\ud800" <= character <= "\udfff" for character in text)


def _text(value: Any, *, longest: int, may_be_blank: bool, multiline: bool) -> str:
    if value is None:
        raise refusal(("null", VALIDATION["null"]))
    if not isinstance(value, str):
        raise refusal(("invalid", "Not a valid string."))
    text = value.strip()
    if not text and not may_be_blank:
        raise refusal(("blank", VALIDATION["blank"]))
    found = []
    if len(text) > longest:
        found.append(("max_length", VALIDATION["max_length"].format(n=longest, unit="characters")))
    if "\0" in text:
        code = "null_characters_not_allowed"
        found.append((code, VALIDATION[code]))
    if _has_surrogates(text):
        found.append(_SURROGATES)
    allowed = "\0\n\r\t" if multiline else "\0"
    if any(unicodedata.category(character) == "Cc" and character not in allowed for character in text):
        found.append(("invalid", "Control characters are not allowed."))
    if found:
        raise refusal(*found)
    return text


Name = Annotated[
    str,
    BeforeValidator(lambda v: _text(v, longest=_MAX_NAME, may_be_blank=False, multiline=False)),
    WithJsonSchema({"type": "string", "minLength": 1, "maxLength": _MAX_NAME}),
]
Description = Annotated[
    str,
    BeforeValidator(lambda v: _text(v, longest=_MAX_DESCRIPTION, may_be_blank=True, multiline=True)),
    WithJsonSchema({"type": "string", "maxLength": _MAX_DESCRIPTION}),
]


def _moment(value: Any) -> int:
    if value is None:
        raise refusal(("null", VALIDATION["null"]))
    if not isinstance(value, str) or not _RFC3339.fullmatch(value):
        raise refusal(("invalid", DATETIME_FORMAT))
    try:
        return int(datetime.fromisoformat(value.upper()).timestamp())
    except (ValueError, OverflowError):
        raise refusal(("invalid", DATETIME_FORMAT)) from None


# A moment in RFC 3339 with its offset, as seconds since 1970.
Moment = Annotated[int, BeforeValidator(_moment), WithJsonSchema({"type": "string", "format": "date-time"})]


def _rfc3339(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


# Seconds since 1970, written as RFC 3339 in UTC.
Timestamp = Annotated[
    int,
    PlainSerializer(_rfc3339, return_type=str),
    WithJsonSchema({"type": "string", "format": "date-time"}, mode="serialization"),
]


def _email(value: str) -> str:
    if _has_surrogates(value):
        raise refusal(_SURROGATES)
    if not value.strip():
        raise refusal(("blank", VALIDATION["blank"]))
    try:
        return canonical_email(value)
    except ValueError:
        raise refusal(("invalid", "Enter a valid email address.")) from None


Email = Annotated[str, AfterValidator(_email), WithJsonSchema({"type": "string", "format": "email"})]


def _secret(value: Any) -> Any:
    """Taken as it is, if it is a text that has bytes, and not a very long one."""
    if isinstance(value, str):
        if len(value) > _MAX_SECRET:
            raise refusal(("max_length", VALIDATION["max_length"].format(n=_MAX_SECRET, unit="characters")))
        if _has_surrogates(value):
            raise refusal(_SURROGATES)
    return value


Secret = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    WithJsonSchema({"type": "string", "format": "password", "maxLength": _MAX_SECRET, "writeOnly": True}),
]


def _new_password(value: SecretStr) -> SecretStr:
    found = objection(value.get_secret_value())
    if found is not None:
        raise refusal(found)
    return value


NewPassword = Annotated[
    SecretStr,
    BeforeValidator(_secret),
    AfterValidator(_new_password),
    WithJsonSchema({"type": "string", "format": "password", "minLength": MIN_CHARACTERS, "maxLength": MAX_CHARACTERS}),
]


def _unchangeable(_: Any) -> Any:
    raise refusal(("invalid", "This field cannot be changed."))


# A field that a reader sees and nobody can change.
Unchangeable = Annotated[SkipJsonSchema[Any], BeforeValidator(_unchangeable)]

# An id in a path; anything that can't be one leads to nothing.
PathId = Annotated[str, Path(pattern=f"^{ID_PATTERN}$", json_schema_extra={"format": "uuid"})]
Limit = Annotated[int, Query(ge=1, le=200, description="How many at most")]


def encode_cursor(last_id: str) -> str:
    """The cursor that leads on from the last item of a page."""
    return base64.urlsafe_b64encode(last_id.encode()).rstrip(b"=").decode()


def _decode_cursor(value: str) -> str:
    try:
        text = base64.urlsafe_b64decode(value + "=" * (-len(value) % 4)).decode("ascii")
    except (binascii.Error, ValueError):
        text = ""
    if not is_id(text) or encode_cursor(text) != value:
        raise refusal(("invalid", "Invalid cursor."))
    return text


# A former page's `next_cursor`, as the id from before which the page goes on.
Cursor = Annotated[str, Query(description="`next_cursor` of the page before"), AfterValidator(_decode_cursor)]
