"""The processes that hash for this one. In a thread of its own a hash would share the interpreter's lock with the event
loop, and a thread that steps back holds that lock for as long as others keep it from running.
"""

import atexit
import contextlib
import json
import os
import subprocess
import sys
import time
from collections import deque
from secrets import token_hex
from threading import Timer
from typing import IO, Any, cast

import structlog

from keyhouse.directory import argon2id

# Seconds for an answer, the start of the process included.
_PATIENCE = 15.0
# Seconds for which no other process is started after one that was new did not answer.
_PAUSE = 300.0
_PROGRAM = argon2id.__file__

log = structlog.get_logger("keyhouse.hashers")

_idle: deque["_Hasher"] = deque()
_paused_until = float("-inf")


class Gone(Exception):  # noqa: N818 - not an error: it ended, and another one is asked
    """A process that answers no more."""


class _Hasher:
    """One process that hashes, asked by one thread at a time."""

    def __init__(self) -> None:
        """Raises Gone where there is no Python that could be started."""
        if not sys.executable or getattr(sys, "frozen", False):
            raise Gone
        try:
            self._process = subprocess.Popen(  # noqa: S603 - this Python, and a program of ours
                # -P: the folder of the program is no place to import from.
                [sys.executable, "-P", _PROGRAM],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # It needs none of our secrets.
                env={name: value for name, value in os.environ.items() if not name.upper().startswith("KEYHOUSE_")},
            )
        except OSError as error:
            raise Gone from error
        self.pid = self._process.pid
        self._requests = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)

    def ask(self, request: tuple[Any, ...]) -> Any:
        """Raises Gone, also when it does not answer in time."""
        # An answer has the name of its question: whatever else is written there, by a module that Python loads at its
        # start or in answer to somebody who gave up, is not taken for it.
        name = token_hex(8)
        timer = Timer(_PATIENCE, self._process.kill)
        try:
            timer.start()
            self._requests.write(json.dumps([name, *request]).encode() + b"\n")
            self._requests.flush()
            for line in self._answers:
                if line.startswith(f'["{name}", '.encode()):
                    return json.loads(line)[1]
        except (OSError, ValueError, RuntimeError) as error:
            self.end()
            raise Gone from error
        finally:
            timer.cancel()
        self.end()
        raise Gone

    def end(self) -> None:
        self._process.kill()
        self._answers.close()
        # It can't be told what was written already.
        with contextlib.suppress(OSError):
            self._requests.close()
        self._process.wait()


def ask(*request: Any) -> Any:
    """What `argon2id.answer` answers to these arguments, from another process. Blocks for as long as a hash takes.

    Where no other process can be had, from this one: a server may be embedded in a program that is no Python to start.
    """
    while _idle:
        # Those that had nothing to do for long have ended; another thread may have taken the last one.
        with contextlib.suppress(Gone, IndexError):
            return _asked(_idle.pop(), request)
    if time.monotonic() >= _paused_until:
        with contextlib.suppress(Gone):
            return _asked(_Hasher(), request)
        _pause()
    found = argon2id.answer(*request)
    return list(found) if isinstance(found, tuple) else found


def _asked(hasher: _Hasher, request: tuple[Any, ...]) -> Any:
    answer = hasher.ask(request)
    _idle.append(hasher)
    return answer


def _pause() -> None:
    global _paused_until  # noqa: PLW0603 - as much the process's own as what it could not start
    _paused_until = time.monotonic() + _PAUSE
    log.warning("hashers.missing", cause="no other process hashes")
    # Now: else it is the first unknown user who waits for it.
    argon2id.nobody()


def _end() -> None:
    while _idle:
        _idle.pop().end()


atexit.register(_end)
if sys.platform != "win32":
    # Their answers are for the process that asked, not for one that was forked from it.
    os.register_at_fork(after_in_child=_idle.clear)
