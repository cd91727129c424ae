"""The log: one line for each event, whatever is in it, and never a token."""

import asyncio
import gc
import json
import logging
import re
import sys
import threading
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
import structlog

from keyhouse import logs

Form = Literal["json", "console"]
Lines = Callable[[], list[str]]
NASTY = 'a\nb\r\x0b\x1b[31m\u2028\x85"\\ \ud800 = é'
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2lnbmF0dXJl"
REFRESH = "khr_OVjArgjoUbieCQl1T6AKnVL1VejHbNQhMlomkO_8q1Y"


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Lines]:
    """What was logged since it was last asked, and nothing of it on standard output."""
    for hooked, name in ((sys, "unraisablehook"), (threading, "excepthook")):
        monkeypatch.setattr(hooked, name, getattr(hooked, name))
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level

    def read() -> list[str]:
        out, err = capsys.readouterr()
        assert out == ""
        assert err == "" or err.endswith("\n")
        assert err.isascii()
        return err.splitlines()

    yield read
    logging.captureWarnings(capture=False)
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


class Reluctant:
    """A value that can't be looked at."""

    def __str__(self) -> str:
        raise RuntimeError("not now")

    __repr__ = __str__


def fail(text: str) -> None:
    raise ValueError(text)


@pytest.mark.parametrize("form", ["json", "console"])
def test_whatever_is_in_an_event_is_one_line(lines: Lines, form: Form) -> None:
    logs.configure(form)
    log = structlog.get_logger("any")
    around: dict[str, Any] = {}
    around["itself"] = around
    for value in (NASTY, {"a": [NASTY]}, object(), b"\n", around, {("no", "text"): 1}, float("nan"), None, 10**5000):
        log.info("event", value=value)
        assert len(lines()) == 1
    log.info(NASTY, value=1)
    log.info(Reluctant(), **{NASTY: Reluctant()})
    log.info("event", value="x" * 100_000)
    assert len(lines()) == 3


def test_a_line_of_json_is_what_happened_and_when(lines: Lines) -> None:
    logs.configure("json")
    structlog.get_logger("any").warning("it.happened", status=401, cause=NASTY, nothing=None)
    told = json.loads(lines()[0])
    at = datetime.fromisoformat(told.pop("timestamp"))
    assert abs(at - datetime.now(UTC)) < timedelta(seconds=10)
    assert told == {"level": "warning", "event": "it.happened", "status": 401, "cause": NASTY, "nothing": None}


@pytest.mark.parametrize(
    "value",
    ["plain", 'quotes "\\/', "\x00\x1f\x7f", "\x85\u2028é", "\ud800", 1, -(1 << 70), 0.1, 1e-7, 1e22, True, None],
)
def test_a_value_is_told_as_it_is_and_can_be_printed(lines: Lines, value: object) -> None:
    logs.configure("json")
    structlog.get_logger("any").info("told", value=value)
    line = lines()[0]
    assert line.isprintable()
    assert json.loads(line)["value"] == value


def test_the_time_of_a_line_is_its_own(lines: Lines, monkeypatch: pytest.MonkeyPatch) -> None:
    logs.configure("json")
    for seconds, text in (
        (0.0, "1970-01-01T00:00:00.000Z"),
        (86399.9996, "1970-01-01T23:59:59.999Z"),
        (0.5, "1970-01-01T00:00:00.500Z"),
    ):
        monkeypatch.setattr(logs.time, "time", lambda seconds=seconds: seconds)
        structlog.get_logger("any").info("now")
        assert json.loads(lines()[0])["timestamp"] == text


def test_a_line_for_the_eye_leaves_out_what_there_is_not(lines: Lines) -> None:
    logs.configure("console")
    structlog.get_logger("any").info("it happened", route="/a/{b}", cause=None, why="two words", equation="a=b")
    time, rest = lines()[0].split(maxsplit=1)
    assert len(time) == len("12:00:00")
    assert rest == 'info    it happened route=/a/{b} why="two words" equation="a=b"'


@pytest.mark.parametrize("form", ["json", "console"])
def test_an_exception_is_told_with_its_traceback_in_the_same_line(lines: Lines, form: Form) -> None:
    logs.configure(form)
    log = structlog.get_logger("any")
    try:
        fail(NASTY)
    except ValueError as error:
        log.exception("failed")
        log.warning("failed", exc_info=error)
        logging.getLogger("library").exception("failed")
        logging.getLogger("library").warning("failed", exc_info=sys.exc_info())
    told = lines()
    assert len(told) == 4
    assert all("Traceback" in line and "test_logs.py" in line and "ValueError" in line for line in told)
    log.error("none", exc_info=True)  # noqa: LOG014 - that is what is tried
    assert "Traceback" not in lines()[0]


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_token_goes_no_further(lines: Lines, form: Form) -> None:
    logs.configure(form)
    for token in (JWT, REFRESH):
        structlog.get_logger("any").info("event", value=f"before {token} after", nested={"of": [token]})
        logging.getLogger("library").warning("%s", token)
        try:
            fail(token)
        except ValueError:
            structlog.get_logger("any").exception("failed")
        told = lines()
        assert len(told) == 3
        for line in told:
            assert "[token]" in line
            assert token not in line
            assert token[-10:] not in line.partition("Traceback")[0]


def test_the_standard_library_logs_the_same_way(lines: Lines) -> None:
    logs.configure("json")
    logging.getLogger("uvicorn.error").info("Started %s\n", "it")
    logging.getLogger("sqlalchemy.engine.Engine").info("SELECT 1")
    logging.getLogger("library").info("chatter")
    logging.getLogger("library").warning("%d", "no number")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn_explicit("old", UserWarning, "file.py", 1)
    told = [json.loads(line) for line in lines()]
    assert [(line["logger"], line["event"]) for line in told[:2]] == [
        ("uvicorn.error", "Started it"),
        ("library", "%d"),
    ]
    assert told[2]["logger"] == "py.warnings"
    assert len(told) == 3


@pytest.mark.parametrize("form", ["json", "console"])
def test_a_record_of_a_library_is_one_line(lines: Lines, form: Form) -> None:
    logs.configure(form)
    library = logging.getLogger("library")
    wrong: tuple[Any, ...]
    for message, *wrong in (
        (NASTY,),
        ("%s", NASTY),
        ("%s", Reluctant()),
        (Reluctant(),),
        ("%d", "no number"),
        ("%(absent)s", {}),
        ("%s %s", 1),
        (f"{NASTY}%",),
        (b"\xff\n",),
    ):
        library.warning(message, *wrong)
        assert len(lines()) == 1


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_nobody_caught_is_one_line(lines: Lines, form: Form) -> None:
    """Where the interpreter would print a traceback of many."""
    logs.configure(form)

    def fails() -> None:
        raise ValueError(NASTY + JWT)

    class Finalized:
        def __del__(self) -> None:
            fails()

    thread = threading.Thread(target=fails)
    thread.start()
    thread.join()
    Finalized()
    gc.collect()
    told = lines()
    assert ["in a thread" in told[0], "in a finalizer" in told[1]] == [True] * 2
    assert all("critical" in line and "Traceback" in line and "[token]" in line for line in told)
    assert len(told) == 2


def test_a_line_that_can_not_be_written_stops_nobody(monkeypatch: pytest.MonkeyPatch, lines: Lines) -> None:
    class Full:
        def write(self, _: str) -> int:
            raise OSError(28, "No space left on device")

        def flush(self) -> None:
            raise ValueError("I/O operation on closed file")

    monkeypatch.setattr(sys, "stderr", Full())
    logs.configure("json")
    structlog.get_logger("any").info("event")
    logging.getLogger("library").warning("event")
    assert lines() == []


@pytest.mark.usefixtures("lines")
async def test_the_lines_of_one_turn_of_a_loop_are_written_at_its_end(monkeypatch: pytest.MonkeyPatch) -> None:
    written: list[str] = []
    monkeypatch.setattr(sys.stderr, "write", written.append)
    logs.configure("json")
    log = structlog.get_logger("any")
    log.info("first")
    log.info("second")
    assert written == []
    await asyncio.sleep(0)
    (whole,) = written
    assert [json.loads(line)["event"] for line in whole.splitlines()] == ["first", "second"]
    log.info("third")
    await asyncio.sleep(0)
    assert len(written) == 2


@pytest.mark.parametrize("level", ["debug", "warning", "error", "critical"])
async def test_what_may_be_the_last_line_is_written_as_it_comes(lines: Lines, level: str) -> None:
    logs._configure(logs._json, logging.DEBUG)
    log = structlog.get_logger("any")
    log.info("before")
    getattr(log, level)("now")
    assert [json.loads(line)["event"] for line in lines()] == ["before", "now"]
    await asyncio.sleep(0)
    assert lines() == []


def test_a_line_of_a_loop_that_was_closed_comes_with_the_next(lines: Lines) -> None:
    logs.configure("json")
    log = structlog.get_logger("any")

    async def tell(name: str) -> None:
        log.info(name)

    def leave_at_once(name: str) -> None:
        loop = asyncio.new_event_loop()
        loop.call_soon(log.info, name)
        loop.call_soon(loop.stop)
        loop.run_forever()
        loop.close()

    leave_at_once("first")
    assert lines() == []
    asyncio.run(tell("second"))
    assert [json.loads(line)["event"] for line in lines()] == ["first", "second"]
    leave_at_once("third")
    log.info("outside of any loop")
    assert [json.loads(line)["event"] for line in lines()] == ["third", "outside of any loop"]


Request = tuple[str, float, str, str, int, str | None, str | None, str | None, str | None]


@pytest.mark.parametrize(
    "told",
    [
        ("0199f4a2-6c1e", 0.12, "GET", "/api/v1/auth/verify/", 204, "0199-user", "0199-key", None, "127.0.0.1"),
        ("a.b_c-D", 1234.5, "PATCH", "", 401, None, None, "exp in the past", None),
        ("x" * 128, 0.0, '"\\\n', "/é/{\u2028}", 0, "\ud800", "\x7f", NASTY, "fe80::1%eth0"),
        (JWT, 7, "GET", "/", 200, None, None, None, JWT),
    ],
)
def test_the_line_of_a_request_is_that_of_any_event(lines: Lines, told: Request) -> None:
    """It is written in a shorter way."""
    logs.configure("json")
    logger = structlog.get_logger("keyhouse.request")
    tell = logs.of_requests(logger)
    request_id, ms, *alike = told
    for _ in range(2):
        tell(*told)
        fields = dict(zip(logs.REQUEST_FIELDS, alike, strict=True))
        logger.info("request", request_id=request_id, **fields, ms=ms)
        short, usual = (re.sub(r'"timestamp":"[^"]+"', "", line) for line in lines())
        assert short == usual
        assert JWT not in short


def test_the_line_of_a_request_for_the_eye_is_that_of_any_event(lines: Lines) -> None:
    logs.configure("console")
    logger = structlog.get_logger("keyhouse.request")
    logs.of_requests(logger)("id", 0.5, "GET", "/", 200, None, None, None, "127.0.0.1")
    logger.info("request", request_id="id", method="GET", route="/", status=200, client="127.0.0.1", ms=0.5)
    short, usual = (line[9:] for line in lines())
    assert short == usual


def test_silence_holds_until_it_is_over(lines: Lines) -> None:
    logs.silence()
    log = structlog.get_logger("any")
    log.error("event")
    logging.getLogger("library").error("event")
    assert lines() == []
    logs.configure("json")
    log.info("event")
    assert len(lines()) == 1
