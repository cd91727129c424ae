"""The processes that hash for this one. In a thread of its own a hash would share the interpreter's lock with the event
loop, and a thread that steps back holds that lock for as long as others keep it from running.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
from collections import deque
from threading import Timer
from typing import IO, Any, cast

import structlog

from keyhouse.directory import argon2id

# Seconds that one may take to start.
_START = 15.0
_PROGRAM = argon2id.__file__

log = structlog.get_logger("keyhouse.hashers")

_idle: deque["_Hasher"] = deque()
_here = False


class Gone(Exception):  # noqa: N818 - not an error: it ended, and another one is asked
    """A process that answers no more."""


class _Hasher:
    """One process that hashes. Asked by one thread at a time; who gave up on it in between never asks it again."""

    def __init__(self) -> None:
        """Raises Gone when it does not start."""
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and a program of ours
                # -P: the folder of the program is no place to import from.
                [sys.executable, "-P", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # It needs none of our secrets.
                env={name: value for name, value in os.environ.items() if not name.startswith("KEYHOUSE_")},
            )
        except OSError as error:
            raise Gone from error
        self.pid = self._process.pid
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        # What starts there may be no Python at all, and say nothing for ever.
        timer = Timer(_START, self._process.kill)
        timer.start()
        try:
            self._read()
        finally:
            timer.cancel()

    def ask(self, line: bytes) -> Any:
        """Raises Gone."""
        try:
            self._requests.write(line)
            self._requests.flush()
        except OSError:
            self.end()
            raise Gone from None
        return self._read()

    def end(self) -> None:
        self._process.kill()
        self._answers.close()
        # It can't be told what was written already.
        with contextlib.suppress(OSError):
            self._requests.close()
        self._process.wait()

    def _read(self) -> Any:
        try:
            return json.loads(self._answers.readline())
        except (OSError, ValueError):
            self.end()
            raise Gone from None


def ask(*request: Any) -> Any:
    """What `argon2id.answer` answers to these arguments, from another process. Blocks for as long as a hash takes.

    Where no other process can be had, from this one: a server may be embedded in a program that is no Python to start.
    """
    line = json.dumps(request).encode() + b"\n"
    while _idle:
        try:
            return _asked(_idle.pop(), line)
        except (Gone, IndexError):
            # Those that had nothing to do for long have ended; another thread may have taken the last one.
            continue
    if not _here:
        try:
            return _asked(_Hasher(), line)
        except Gone:
            _stay()
    found = argon2id.answer(*request)
    return list(found) if isinstance(found, tuple) else found


def _asked(hasher: _Hasher, line: bytes) -> Any:
    answer = hasher.ask(line)
    # Only now: had we not read its answer, the next who asks would take it for theirs.
    _idle.append(hasher)
    return answer


def _stay() -> None:
    global _here  # noqa: PLW0603 - as much the process's own as what it could not start
    _here = True
    log.warning("hashers.missing", cause="no process can be started")


def _end() -> None:
    while _idle:
        _idle.pop().end()


atexit.register(_end)
if sys.platform != "win32":
    # Their answers are for the process that asked, not for one that was forked from it.
    os.register_at_fork(after_in_child=_idle.clear)
