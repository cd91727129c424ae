"""Argon2id. Run as a program it hashes for the process that started it: a request and an answer a line, in JSON.

It imports nothing of Keyhouse: the program is started by its path, and is there in a tenth of the package's time.
"""

import contextlib
import ctypes
import json
import os
import select
import signal
import sys
from functools import cache
from typing import IO, Literal, TextIO

from passlib.context import CryptContext
from passlib.exc import UnknownHashError

# OWASP's first choice for argon2id with one lane: 46 MiB, one pass; some 50 ms of one core.
CONTEXT = CryptContext(
    schemes=["argon2"],
    argon2__type="ID",
    argon2__memory_cost=47104,
    argon2__time_cost=1,
    argon2__parallelism=1,
)
Answer = str | tuple[bool, str | None] | None
_NICE = 10
# Seconds without a request, after which it gives back its memory by ending.
_PATIENCE = 600
# Parameters of glibc's mallopt.
_TRIM_THRESHOLD, _MMAP_MAX = -1, -4


def verify(password: str, stored: str | None) -> tuple[bool, str | None]:
    """Whether it is the password, and a new hash when the stored one has weaker parameters than today's.

    `stored` is None for an unknown user: the same work is done, and the answer is no.
    """
    try:
        right, replacement = CONTEXT.verify_and_update(password, nobody() if stored is None else stored)
    except (UnknownHashError, ValueError):
        return False, None
    return (True, replacement) if right and stored is not None else (False, None)


@cache
def nobody() -> str:
    """What is verified when there is no such user, so that nobody learns from the time that there is none."""
    return str(CONTEXT.hash(os.urandom(16).hex()))


def answer(kind: Literal["verify", "hash"], password: str, stored: str | None = None) -> Answer:
    """What `verify` finds, or a hash; None for a text that can't be hashed."""
    if kind == "verify":
        return verify(password, stored)
    try:
        return str(CONTEXT.hash(password))
    except ValueError:
        return None


def serve(requests: IO[bytes], answers: TextIO) -> None:
    """Answers lists of a name and the arguments of `answer` with lists of that name and the answer, one a line, until
    there are no more or none for long. `requests` may buffer nothing: what it held back would be waited for.
    """
    # Now: else it is the first unknown user who waits for it.
    nobody()
    while select.select([requests], [], [], _PATIENCE)[0] and (line := requests.readline()):
        name, *request = json.loads(line)
        print(json.dumps([name, answer(*request)]), file=answers, flush=True)


def step_back() -> None:
    """Lets the event loop have its core when both want one, and keeps the memory of a hash for the next: to take 46 MiB
    from the system each time, page by page, is a third of the work.
    """
    # A terminal's Ctrl-C is for the server, which ends this by closing its input.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    # A sandbox may allow no change of priority; other C libraries have no such parameters.
    with contextlib.suppress(OSError):
        os.nice(max(0, _NICE - os.nice(0)))
    with contextlib.suppress(OSError, AttributeError):
        libc = ctypes.CDLL(None)
        libc.mallopt(_MMAP_MAX, 0)
        libc.mallopt(_TRIM_THRESHOLD, 1 << 30)


if __name__ == "__main__":
    step_back()
    serve(os.fdopen(sys.stdin.fileno(), "rb", buffering=0, closefd=False), sys.stdout)
