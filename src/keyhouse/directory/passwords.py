"""Passwords: what may be one, and argon2id in a pool that a storm of log-ins can't widen."""

import asyncio
import contextlib
import os
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from math import ceil
from typing import TypeVar

from passlib.context import CryptContext
from passlib.exc import UnknownHashError
from zxcvbn.frequency_lists import FREQUENCY_LISTS

from keyhouse.clock import Clock, SystemClock
from keyhouse.errors import VALIDATION, unavailable

T = TypeVar("T")

MIN_CHARACTERS = 15
MAX_CHARACTERS = 256
# OWASP's first choice for argon2id with one lane: 46 MiB, one pass; some 50 ms of one core.
_CONTEXT = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=47104,
    argon2__time_cost=1,
    argon2__parallelism=1,
)
_COMMON = frozenset(FREQUENCY_LISTS["passwords"])
_LONGEST_REPEATED = 8
_QUEUED_PER_WORKER = 16
# Seconds: of a hash before one was made, and of a wait that is told. Who waits is told by the last few hashes.
_USUALLY_TAKES = 0.05
_LONGEST_WAIT = 30.0
_REMEMBERED = 8
_NICE = 10


def normalize(password: str) -> str:
    """NFKC, so that one password typed on two keyboards is one (NIST SP 800-63B-4 section 3.1.1.2)."""
    return unicodedata.normalize("NFKC", password)


def is_common(password: str) -> bool:
    """Whether it stands in the list of common passwords, or only repeats a short or common piece."""
    plain = normalize(password).casefold()
    if plain in _COMMON:
        return True
    for size in range(1, len(plain)):
        piece = plain[:size]
        if (size <= _LONGEST_REPEATED or piece in _COMMON) and (piece * (len(plain) // size + 1)).startswith(plain):
            return True
    return False


def objection(password: str) -> tuple[str, str] | None:
    """Why this may not become anybody's password, as a code with its text; None if it may."""
    plain = normalize(password)
    if len(plain) < MIN_CHARACTERS:
        return "min_length", VALIDATION["min_length"].format(n=MIN_CHARACTERS, unit="characters")
    if len(plain) > MAX_CHARACTERS:
        return "max_length", VALIDATION["max_length"].format(n=MAX_CHARACTERS, unit="characters")
    if is_common(plain):
        return "invalid", "This password is too common."
    return None


class PasswordHashing:
    """Hashes and verifies, off the event loop, at most `workers` at a time and a bounded number waiting.

    One worker fewer than there are cores, so that the guard keeps one; each takes 46 MiB.
    """

    def __init__(self, workers: int | None = None, waiting: int | None = None, clock: Clock | None = None) -> None:
        self._clock = clock or SystemClock()
        self._width = workers or max(1, (os.cpu_count() or 1) - 1)
        self._limit = self._width + (self._width * _QUEUED_PER_WORKER if waiting is None else waiting)
        self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="argon2", initializer=_step_back)
        # Seconds of one hash, as of late, and the moment at which the last who was sent away may find room.
        self._takes = _USUALLY_TAKES
        self._room_at = float("-inf")
        # Now, and not in somebody's first log-in.
        _nobody()
        self.pending = 0

    async def hash(self, password: str) -> str:
        """Raises `service_unavailable` when too many wait already."""
        return await self._run(lambda: str(_CONTEXT.hash(normalize(password))))

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it is the password, and a new hash when the stored one has weaker parameters than today's.

        `stored` is None for an unknown user: the same work is done, and the answer is no.
        """
        return await self._run(lambda: _verify(normalize(password), stored or _nobody(), known=stored is not None))

    def require_room(self) -> None:
        """Raises `service_unavailable` when too many wait already, before work is done for nothing."""
        if self.pending >= self._limit:
            raise unavailable("password queue is full", retry_after=self._wait())

    def _wait(self) -> int:
        """Whole seconds until it is the turn of one more, after those who were sent away before. Were they all told the
        same, they would come back together, and be sent away again.
        """
        now = self._clock.elapsed()
        self._room_at = min(max(now, self._room_at) + self._takes / self._width, now + _LONGEST_WAIT)
        return max(1, ceil(self._room_at - now))

    async def _run(self, work: Callable[[], T]) -> T:
        self.require_room()
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._timed, work)
        finally:
            self.pending -= 1

    def _timed(self, work: Callable[[], T]) -> T:
        began = self._clock.elapsed()
        try:
            return work()
        finally:
            self._takes += (self._clock.elapsed() - began - self._takes) / _REMEMBERED

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


@cache
def _nobody() -> str:
    """What is verified when there is no such user, so that nobody learns from the time that there is none."""
    return str(_CONTEXT.hash(os.urandom(16).hex()))


def _step_back() -> None:
    """Lets the event loop have its core when both want one. Elsewhere a priority is the whole process's."""
    if sys.platform == "linux":
        thread = threading.get_native_id()
        # A sandbox may allow no change, and a process that has stepped back already none in the other direction.
        with contextlib.suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, thread, max(os.getpriority(os.PRIO_PROCESS, thread), _NICE))


def _verify(password: str, stored: str, *, known: bool) -> tuple[bool, str | None]:
    try:
        right, replacement = _CONTEXT.verify_and_update(password, stored)
    except (UnknownHashError, ValueError):
        return False, None
    return (True, replacement) if right and known else (False, None)
