"""Passwords: what may be one, and argon2id in a pool that a storm of log-ins can't widen."""

import asyncio
import os
import unicodedata
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from math import ceil
from typing import Any

from zxcvbn.frequency_lists import FREQUENCY_LISTS

from keyhouse.clock import Clock, SystemClock
from keyhouse.directory import hashers
from keyhouse.errors import VALIDATION, Failure, unavailable

MIN_CHARACTERS = 15
MAX_CHARACTERS = 256
_COMMON = frozenset(FREQUENCY_LISTS["passwords"])
_LONGEST_REPEATED = 8
_QUEUED_PER_WORKER = 16
# Seconds: of a hash before one was made, and of a wait that is told. Who waits is told by the last few hashes.
_USUALLY_TAKES = 0.05
_LONGEST_WAIT = 30.0
_REMEMBERED = 8
# How many of those that are sent away are detained for a part of a second, as a multiple of those that may wait.
_DETAINED = 4


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

    One worker fewer than there are cores, so that the guard keeps one; each has a process with 46 MiB for its hashes.
    """

    def __init__(
        self,
        workers: int | None = None,
        waiting: int | None = None,
        clock: Clock | None = None,
        wait: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`wait` sleeps for some seconds."""
        self._clock = clock or SystemClock()
        self._rest = wait
        self._width = workers or max(1, (os.cpu_count() or 1) - 1)
        self._limit = self._width + (self._width * _QUEUED_PER_WORKER if waiting is None else waiting)
        self._pool = ThreadPoolExecutor(self._width, thread_name_prefix="argon2")
        # Seconds of one hash, as of late, and the moment at which the last who was sent away may find room.
        self._takes = _USUALLY_TAKES
        self._room_at = float("-inf")
        self.pending = 0
        self._detained = 0

    async def hash(self, password: str) -> str:
        """Raises `service_unavailable` when too many wait already."""
        made = await self._run("hash", normalize(password))
        if made is None:
            raise ValueError("this text can't be hashed")
        return str(made)

    async def verify(self, password: str, stored: str | None) -> tuple[bool, str | None]:
        """Whether it is the password, and a new hash when the stored one has weaker parameters than today's.

        `stored` is None for an unknown user: the same work is done, and the answer is no.
        """
        right, replacement = await self._run("verify", normalize(password), stored)
        return right, replacement

    async def require_room(self) -> None:
        """Raises `service_unavailable` when too many wait already, before work is done for nothing.

        `Retry-After` says when it is the turn of who is sent away. It counts in whole seconds, so the rest of the last
        one is waited for here: or all who were sent away within a second would come back in the same instant.
        """
        if self.pending < self._limit:
            return
        left = self._until_room()
        told = ceil(left)
        if self._detained < self._limit * _DETAINED:
            told = max(1, int(left))
            self._detained += 1
            try:
                await self._rest(max(0.0, left - told))
            finally:
                self._detained -= 1
        raise _full(told)

    def _until_room(self) -> float:
        """Seconds until it is the turn of one more, after those who were sent away before. At least one, since that is
        the least that `Retry-After` can say.
        """
        now = self._clock.elapsed()
        self._room_at = min(max(now + 1, self._room_at + self._takes / self._width), now + _LONGEST_WAIT)
        return self._room_at - now

    async def _run(self, *request: str | None) -> Any:
        if self.pending >= self._limit:
            raise _full(ceil(self._until_room()))
        self.pending += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._pool, self._timed, request)
        finally:
            self.pending -= 1

    def _timed(self, request: tuple[str | None, ...]) -> Any:
        began = self._clock.elapsed()
        try:
            return hashers.ask(*request)
        finally:
            self._takes += (self._clock.elapsed() - began - self._takes) / _REMEMBERED

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)


def _full(retry_after: int) -> Failure:
    return unavailable("password queue is full", retry_after=retry_after)
