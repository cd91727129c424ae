"""Hashing in processes of its own: whose answer it is, what becomes of one that dies, and what it costs the others."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

import pytest

from keyhouse.directory import argon2id, hashers
from support.waiting import until

GOOD = "a long enough passphrase"
NAME = "of a question"


@pytest.fixture(autouse=True)
def _none_idle(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Each test starts its own."""
    kept = list(hashers._idle)
    hashers._idle.clear()
    monkeypatch.setattr(hashers, "_paused_until", 0.0)
    yield
    hashers._end()
    hashers._idle.extend(kept)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Stands in for argon2 in this process."""

    class Quick:
        def __init__(self) -> None:
            self.asked: list[tuple[str, str]] = []

        def verify_and_update(self, password: str, stored: str) -> tuple[bool, None]:
            self.asked.append((password, stored))
            return True, None

        def hash(self, password: str) -> str:
            return f"hash of {password}"

    stands = Quick()
    argon2id.nobody.cache_clear()
    monkeypatch.setattr(argon2id, "CONTEXT", stands)
    yield stands
    argon2id.nobody.cache_clear()


def _idle() -> hashers._Hasher:
    (one,) = hashers._idle
    return one


def test_a_process_is_started_once_and_asked_again() -> None:
    stored = hashers.ask("hash", GOOD)
    first = _idle()
    assert hashers.ask("verify", GOOD, stored) == [True, None]
    assert hashers.ask("verify", "another passphrase", stored) == [False, None]
    assert hashers.ask("verify", GOOD, None) == [False, None]
    assert hashers.ask("hash", "\ud800") is None
    assert _idle() is first
    assert first.pid != os.getpid()


def test_one_that_died_is_replaced_and_the_question_is_answered() -> None:
    stored = hashers.ask("hash", GOOD)
    first = _idle()
    first._process.kill()
    first._process.wait()
    assert hashers.ask("verify", GOOD, stored) == [True, None]
    assert _idle() is not first


class _Cut(io.BytesIO):
    """Answers that end in the middle of one, with the name of the question."""

    def __iter__(self) -> Iterator[bytes]:  # type: ignore[override] # as a pipe is read
        yield b'["' + NAME.encode() + b'", [true, nul'


def test_an_answer_that_is_cut_off_is_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    """It died while it wrote `[true, null]`."""
    stored = hashers.ask("hash", GOOD)
    first = _idle()
    first._answers.close()
    monkeypatch.setattr(first, "_answers", _Cut())
    monkeypatch.setattr(hashers, "token_hex", lambda _: NAME)
    assert hashers.ask("verify", "another passphrase", stored) == [False, None]
    assert _idle() is not first


def test_what_else_is_written_there_is_nobodys_answer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Python loads modules of others at its start, and one of them may say something that reads like an answer."""
    (tmp_path / "sitecustomize.py").write_text("print('[true, null]\\n[\"x\", [true, null]]\\nnull')")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    stored = hashers.ask("hash", GOOD)
    assert stored.startswith("$argon2id$")
    for _ in range(3):
        assert hashers.ask("verify", "another passphrase", stored) == [False, None]
        assert hashers.ask("verify", GOOD, stored) == [True, None]


def test_who_is_interrupted_before_the_answer_leaves_it_to_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = hashers.ask("hash", GOOD)
    first = _idle()
    answers = first._answers

    class Interrupted(io.BytesIO):
        def __iter__(self) -> Any:
            raise KeyboardInterrupt

    monkeypatch.setattr(first, "_answers", Interrupted())
    with pytest.raises(KeyboardInterrupt):
        hashers.ask("verify", GOOD, stored)
    assert not hashers._idle
    # And who asked it all the same would not get that answer.
    monkeypatch.setattr(first, "_answers", answers)
    assert first.ask(("verify", "another passphrase", stored)) == [False, None]
    first.end()


def test_two_questions_that_arrive_at_once_are_both_answered() -> None:
    stored = hashers.ask("hash", GOOD)
    first = _idle()
    for name in ("one", "two"):
        first._requests.write(json.dumps([name, "verify", GOOD, stored]).encode() + b"\n")
    first._requests.flush()
    killed = threading.Timer(5, first._process.kill)
    killed.start()
    answers = [json.loads(first._answers.readline() or "null") for _ in range(2)]
    killed.cancel()
    assert answers == [["one", [True, None]], ["two", [True, None]]]


def test_one_that_hangs_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    stored = hashers.ask("hash", GOOD)
    first = _idle()
    os.kill(first.pid, signal.SIGSTOP)
    monkeypatch.setattr(hashers, "Timer", lambda _, kill: threading.Timer(0.2, kill))
    monkeypatch.setattr(hashers, "_Hasher", lambda: pytest.fail("it is not this one that is tried"))
    monkeypatch.setattr(hashers, "_paused_until", inf)
    assert hashers.ask("verify", GOOD, stored) == [True, None]
    assert first._process.returncode == -signal.SIGKILL


@pytest.mark.parametrize("program", [None, "", "/nowhere/python", "/bin/false", "/bin/cat", "/bin/sleep"])
def test_where_none_can_be_started_it_is_done_here(
    program: str | None, monkeypatch: pytest.MonkeyPatch, quick: Any
) -> None:
    """A server may be embedded in something that is no Python to start. It is tried again, but not at once."""
    tried: list[str] = []
    start = subprocess.Popen
    monkeypatch.setattr(subprocess, "Popen", lambda *words, **more: tried.append("") or start(*words, **more))
    monkeypatch.setattr(sys, "executable", program)
    for _ in range(3):
        assert hashers.ask("verify", GOOD, "stored") == [True, None]
    assert len(tried) == (1 if program else 0)
    assert not hashers._idle
    assert quick.asked == [(GOOD, "stored")] * 3
    monkeypatch.setattr(hashers, "_paused_until", 0.0)
    assert hashers.ask("hash", GOOD) == f"hash of {GOOD}"
    assert len(tried) == (2 if program else 0)


def test_it_gets_none_of_our_secrets_and_steps_back(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", "kept from it")
    monkeypatch.setenv("keyhouse_secret_key", "kept from it")
    hashers.ask("verify", GOOD, None)
    process = Path(f"/proc/{_idle().pid}")
    assert b"kept from it" not in (process / "environ").read_bytes()
    assert os.getpriority(os.PRIO_PROCESS, _idle().pid) == max(10, os.getpriority(os.PRIO_PROCESS, 0))


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_it_ends_with_the_process_that_started_it() -> None:
    """However that ended: nothing waits for ever beside a server that was killed."""
    code = (
        "import os, signal; from keyhouse.directory import hashers; hashers.ask('verify', 'x', None);"
        "print(hashers._idle[0].pid, flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    )
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", code, stdout=subprocess.PIPE)
    told, _ = await process.communicate()
    await until(lambda: not _runs(int(told)))


def test_a_process_that_is_forked_has_none_of_them() -> None:
    """Two who ask the same one could get each other's answers."""
    hashers.ask("verify", GOOD, None)
    if (child := os.fork()) == 0:
        os._exit(len(hashers._idle))
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    assert len(hashers._idle) == 1


def test_an_unknown_user_costs_the_same_work(quick: Any) -> None:
    """And is refused even if the password were that of the hash that stands in."""
    assert argon2id.verify(GOOD, None) == (False, None)
    assert argon2id.verify(GOOD, "stored") == (True, None)
    assert [password for password, _ in quick.asked] == [GOOD, GOOD]


def test_what_stands_in_for_an_unknown_user_has_todays_parameters() -> None:
    """Or its time would tell."""
    argon2id.nobody.cache_clear()
    assert argon2id.nobody().startswith("$argon2id$v=19$m=47104,t=1,p=1$")


def test_it_ends_when_nothing_is_asked_for_long(monkeypatch: pytest.MonkeyPatch, quick: Any) -> None:
    monkeypatch.setattr(argon2id, "_PATIENCE", 0)
    answers = io.StringIO()
    receiving, sending = os.pipe()
    with os.fdopen(receiving, "rb", buffering=0) as requests, os.fdopen(sending, "w") as silent:
        argon2id.serve(requests, answers)
        assert answers.getvalue() == ""
        print(json.dumps([NAME, "verify", GOOD, "stored"]), file=silent, flush=True)
        argon2id.serve(requests, answers)
    assert json.loads(answers.getvalue()) == [NAME, [True, None]]
    assert quick.asked == [(GOOD, "stored")]
