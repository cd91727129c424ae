"""What arguments and options take, by the same rules as the API, and how they refuse the rest."""

import re
import sys
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import typer
from pydantic import TypeAdapter, ValidationError

from keyhouse.cli.mistakes import Mistake
from keyhouse.credentials.changes import MAX_BOUND_MS
from keyhouse.db.base import is_id
from keyhouse.directory import passwords
from keyhouse.directory.users import canonical_email
from keyhouse.http.fields import Name
from keyhouse.http.validation import entries

_DURATION = re.compile(r"([1-9][0-9]{0,9})([smhd])", re.ASCII)
_BOUND = re.compile(r"[0-9]{1,9}(\.[0-9]{1,3})?", re.ASCII)
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
_MOST_INPUT = 4096
_name = TypeAdapter(Name)


def duration(text: str) -> int:
    """Seconds of `90s`, `15m`, `12h` or `30d`."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise typer.BadParameter("a number with its unit is needed: 90s, 15m, 12h, 30d")
    return int(match[1]) * _UNITS[match[2]]


def email(text: str) -> str:
    """The canonical form of an address."""
    try:
        return canonical_email(text)
    except ValueError:
        raise typer.BadParameter("not an e-mail address") from None


def identifier(text: str) -> str:
    """An id in its one form."""
    if not is_id(text):
        raise typer.BadParameter("not an id: a UUID in lower case is needed")
    return text


def name(text: str) -> str:
    """A name as the API takes it."""
    try:
        return _name.validate_python(text)
    except ValidationError as error:
        found: list[Any] = [{**item, "loc": ("body", *item["loc"])} for item in error.errors()]
        raise typer.BadParameter(entries(found)[0].detail) from None


def milliseconds(text: str) -> int:
    """Milliseconds of a bound in seconds."""
    value = Decimal(text) * 1000 if _BOUND.fullmatch(text) else Decimal(-1)
    if not 0 <= value <= MAX_BOUND_MS:
        raise typer.BadParameter(f"seconds from 0 to {MAX_BOUND_MS // 1000}, with at most three decimals, are needed")
    return int(value)


def password_from_stdin(*, asked: bool) -> str:
    """All of standard input but one line break at its end. Raises `Mistake` for what may not be a password."""
    if not asked:
        raise typer.BadParameter("give it, and the password on standard input", param_hint="--password-stdin")
    data = sys.stdin.buffer.read(_MOST_INPUT + 1)
    try:
        text = data.decode()
    except UnicodeDecodeError:
        raise Mistake("the password is not UTF-8") from None
    text = text.removesuffix("\n").removesuffix("\r")
    if "\n" in text or len(data) > _MOST_INPUT:
        raise Mistake("the password is to be one line on standard input")
    if (found := passwords.objection(text)) is not None:
        raise Mistake(f"the password: {found[1]}")
    return text


AsJson = Annotated[bool, typer.Option("--json", help="Print one JSON object.")]
DataDir = Annotated[Path, typer.Option(help="Where everything is kept.")]
Email = Annotated[str, typer.Argument(parser=email, metavar="EMAIL", show_default=False)]
CompanyId = Annotated[str, typer.Option("--company", parser=identifier, metavar="ID", show_default=False)]
PasswordStdin = Annotated[bool, typer.Option("--password-stdin", help="Read the password from standard input.")]
Host = Annotated[str, typer.Option(help="The address to listen at.")]
Port = Annotated[int, typer.Option(min=0, max=65535, help="The port to listen at; 0 picks a free one.")]
