"""What went wrong, in one line that says what to do."""

from sqlalchemy.exc import DBAPIError
from typer.exceptions import TyperException

from keyhouse.errors import Failure
from keyhouse.settings import ConfigurationError

INTERRUPTED = 130
_UNAVAILABLE = 503
_EXTRAS = {"asyncpg": "postgres", "redis": "redis", "pytest": "pytest", "httpx": "pytest"}


class Mistake(Exception):  # noqa: N818 - nothing went wrong in here
    """What the operator has to mend, in one line."""


def told(error: BaseException) -> tuple[str, int]:
    """The line for standard error and the exit status: 2 for wrong usage, 130 for Ctrl-C, else 1."""
    status = error.exit_code if isinstance(error, TyperException) else 1
    if isinstance(error, KeyboardInterrupt):
        return "interrupted", INTERRUPTED
    return " ".join(_text(error).split()), status


def _text(error: BaseException) -> str:  # noqa: PLR0911 - a table of kinds
    if isinstance(error, Mistake | ConfigurationError):
        return str(error)
    if isinstance(error, TyperException):
        return error.format_message()
    if isinstance(error, Failure):
        return _refusal(error)
    if isinstance(error, DBAPIError):
        return f"the database refused: {error.orig}"
    if isinstance(error, ModuleNotFoundError) and (extra := _EXTRAS.get(error.name or "")):
        return f"{error.name} is not installed: pip install 'keyhouse[{extra}]'"
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__


def _refusal(failed: Failure) -> str:
    if failed.status == _UNAVAILABLE:
        return f"the database did not answer, nothing is known to be changed: try again ({failed.cause})"
    return "; ".join(
        entry.detail if entry.attr is None else f"--{entry.attr.replace('_', '-')}: {entry.detail}"
        for entry in failed.entries
    )
