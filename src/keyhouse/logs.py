"""What the operator reads while a server runs: one line for each event, in JSON or for the eye, on standard error.

Standard output belongs to what a command was asked for. The libraries' own logging goes through the same lines.
"""

import asyncio
import json
import logging
import re
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping, MutableMapping
from functools import lru_cache, partial
from typing import Any, Literal

import structlog
from opentelemetry import trace
from pydantic_core import to_json

Event = MutableMapping[str, Any]
# INFO of these tells of a start, a stop or a migration. SQLAlchemy's would be every statement.
_TALKATIVE = ("uvicorn.error", "alembic")
# A JWT begins with `{"` in base64url, a refresh token with its prefix. None is ever logged, nor a hash; should an error
# of a library hold one, as PostgreSQL's do that show a row, it goes no further.
_TOKEN = re.compile(r"eyJ[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*){0,2}|khr_[A-Za-z0-9_-]+|\$argon2[^\s,)\"']+")
_PLAIN = re.compile(r"[!#-<>-~]+")
# Nothing makes spans before this is imported: asking that costs next to nothing, asking for the span at each line more.
TRACING = "opentelemetry.sdk.trace"
# Of these pydantic-core makes the standard library's JSON, but for what is not plain ASCII, and is quicker.
_SIMPLE = frozenset({str, int, float, bool, type(None)})
_encode = json.JSONEncoder(separators=(",", ":"), default=repr, skipkeys=True).encode
Render = Callable[[str, Event], str]
REQUEST_FIELDS = ("method", "route", "status", "principal", "credential", "cause", "client")


def configure(form: Literal["json", "console"]) -> None:
    """Sends the logs of this process to standard error as it is now, and what would be printed there in many lines: the
    exceptions of threads and finalizers that nobody caught.
    """
    _configure(_json if form == "json" else _console, logging.INFO)
    threading.excepthook = lambda met: _uncaught("thread", met.exc_value)
    sys.unraisablehook = lambda met: _uncaught("finalizer", met.exc_value)


def silence() -> None:
    """For a command that answers by what it prints and its status."""
    _configure(_json, logging.CRITICAL)


def _configure(render: Render, level: int) -> None:
    lines = _Lines(sys.stderr.write, sys.stderr.flush, render)
    structlog.configure(
        processors=[lambda _, name, event: _line(render, name, event)],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=lambda *_: lines,
        # A logger that is kept while silent would stay silent.
        cache_logger_on_first_use=level < logging.CRITICAL,
    )
    logging.captureWarnings(capture=True)
    logging.getLogger().handlers = [_Handler(lines)]
    logging.getLogger().setLevel(max(level, logging.WARNING))
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(level)


def _uncaught(where: str, error: BaseException | None) -> None:
    logging.getLogger("keyhouse").critical("uncaught in a %s", where, exc_info=error)


class _Lines:
    """Where lines go, by whatever method of a logger. A full disk or a closed pipe stops no request.

    What an event loop tells of its requests in one turn is written at once at the turn's end. All else, which may be
    the last that a process says, is written as it comes.
    """

    def __init__(self, write: Callable[[str], Any], flush: Callable[[], Any], render: Render) -> None:
        self.render = render
        self._write = write
        self._flush = flush
        self._waiting: list[str] = []
        # Which loop writes at the end of its turn. One that was closed before does not, and is another than the next.
        self._due: asyncio.AbstractEventLoop | None = None

    def info(self, line: str) -> None:
        self._waiting.append(line)
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            self._out()
            return
        if self._due is not loop:
            self._due = loop
            loop.call_soon(self._out)

    def msg(self, line: str) -> None:
        self._waiting.append(line)
        self._out()

    debug = warning = error = critical = msg

    def _out(self) -> None:
        self._due = None
        # Another thread may add lines meanwhile: no more are taken away than were written.
        lines = self._waiting[:]
        del self._waiting[: len(lines)]
        if not lines:
            return
        try:
            self._write("\n".join(lines) + "\n")
            self._flush()
        except (OSError, ValueError):
            pass


class _Handler(logging.Handler):
    """From the standard library's records to our lines."""

    def __init__(self, lines: _Lines) -> None:
        super().__init__()
        self._lines = lines

    def emit(self, record: logging.LogRecord) -> None:
        try:
            message = record.getMessage()
        except Exception:  # noqa: BLE001 - it is formatted here, and its values may do anything
            message = record.msg if isinstance(record.msg, str) else type(record.msg).__name__
        event: Event = {"event": message.strip(), "logger": record.name}
        if record.exc_info:
            event["exc_info"] = record.exc_info
        self._lines.msg(_line(self._lines.render, record.levelname.lower(), event))


def of_requests(logger: Any) -> Callable[..., None]:
    """How the line of a request is written, for as long as the application runs: by `logger`, or, where that would make
    JSON of ours of it, at once. It takes the request's id, its milliseconds, and the `REQUEST_FIELDS` in their order.
    """
    if structlog.get_config()["cache_logger_on_first_use"]:
        logger = logger.bind()
        lines = getattr(logger, "_logger", None)
        if isinstance(lines, _Lines) and lines.render is _json:
            return partial(_request, lines)
    return lambda request_id, ms, *alike: logger.info("request", **_of_request(request_id, ms, alike))


def _of_request(request_id: str, ms: float, alike: tuple[Any, ...]) -> dict[str, Any]:
    return {"request_id": request_id, **dict(zip(REQUEST_FIELDS, alike, strict=True)), "ms": ms}


def _request(lines: _Lines, request_id: str, ms: float, *alike: Any) -> None:
    """What structlog would write: it is written for every request, and would take longer than the guard."""
    if TRACING in sys.modules:
        lines.info(_line(_json, "info", {"event": "request", **_of_request(request_id, ms, alike)}))
        return
    # A request's id has nothing in it that JSON would write in another way.
    head = f'{{"timestamp":"{_now()}","level":"info","event":"request","request_id":"{request_id}"'
    lines.info(f'{without_tokens(head)},{_alike(*alike)},"ms":{ms}}}')


@lru_cache(maxsize=1024)
def _alike(*fields: Any) -> str:
    """What requests with the same credential have alike, as the inside of a JSON object."""
    return without_tokens(_encode(dict(zip(REQUEST_FIELDS, fields, strict=True)))[1:-1])


def _line(render: Render, level: str, event: Event) -> str:
    """One line without a token in it, of whatever can be thought of: who logs is never let down."""
    if TRACING in sys.modules and (span := trace.get_current_span().get_span_context()).is_valid:
        event.update(trace_id=f"{span.trace_id:032x}", span_id=f"{span.span_id:016x}")
    name = event.get("event")
    try:
        line = render(level, event)
    except Exception:  # noqa: BLE001 - a value may do anything when it is looked at
        name = name if isinstance(name, str) else type(name).__name__
        line = render(level, {"event": name, "unreadable": " ".join(map(repr, event))})
    return without_tokens(line)


def without_tokens(text: str) -> str:
    """The text, with nothing left of a token or of a password's hash."""
    return _TOKEN.sub("[token]", text) if "eyJ" in text or "khr_" in text or "$argon2" in text else text


def _json(level: str, event: Event) -> str:
    if "exc_info" in event:
        _explain(event)
    fields = {"timestamp": _now(), "level": level, "event": event.pop("event", ""), **event}
    if _SIMPLE.issuperset(map(type, fields.values())):
        try:
            line = to_json(fields)
        except ValueError:
            # Half of a character, which the standard library can write.
            return _encode(fields)
        if line.isascii() and b"\x7f" not in line:
            return line.decode()
    return _encode(fields)


def _console(level: str, event: Event) -> str:
    if "exc_info" in event:
        _explain(event)
    head = f"{_now()[11:19]} {level:<7} {_word(event.pop('event', ''), spaces=True)}"
    return " ".join([head, *_pairs(event)])


def _pairs(event: Mapping[str, Any]) -> list[str]:
    return [f"{name}={_word(value)}" for name, value in event.items() if value is not None]


def _word(value: object, *, spaces: bool = False) -> str:
    """As it is, if nobody could take it for more than one word; else as a JSON string, which has no line breaks."""
    text = str(value)
    return text if _PLAIN.fullmatch(text.replace(" ", "_") if spaces else text) else json.dumps(text)


def _explain(event: Event) -> None:
    """Puts the traceback into the event, as text."""
    found = event.pop("exc_info")
    error = found if isinstance(found, BaseException) else sys.exc_info()[1] if found is True else found and found[1]
    if error:
        event["exception"] = "".join(traceback.format_exception(error)).rstrip()


@lru_cache(maxsize=1)
def _second(since_1970: int) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(since_1970))


@lru_cache(maxsize=1)
def _millisecond(since_1970: int) -> str:
    return f"{_second(since_1970 // 1000)}.{since_1970 % 1000:03d}Z"


def _now() -> str:
    """RFC 3339 in UTC, to the millisecond, for which it is kept: many requests end in one."""
    return _millisecond(int(time.time() * 1000))
