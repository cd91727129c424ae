"""How long a revoked token lives: in the worker that was told, and in another worker of the same store.

Two workers run on one store. The token is tried at both, ended at the first in the way that the project's
documentation gives, and then asked for at both, again and again, until both refuse or the watch ends.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks import load, report
from benchmarks.load import Address

WATCH = 5.0  # seconds


@dataclass
class Subject:
    """A token's request, and the request that ends it."""

    name: str
    request: bytes
    ending: bytes


@dataclass
class Lived:
    """Seconds from the revocation's answer to the begin of the last request let in; None if there was none."""

    name: str
    same_worker: float | None
    other_worker: float | None


def ending(method: str, path: str, authorization: str, body: Mapping[str, Any] | None) -> bytes:
    """The request that ends a token, sent with that token."""
    content = json.dumps(body).encode() if body else b""
    lines = [
        f"{method} {path} HTTP/1.1",
        "Host: bench",
        f"Authorization: {authorization}",
        f"Content-Length: {len(content)}",
        *(["Content-Type: application/json"] if content else []),
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + content


def watch(subject: Subject, told: Address, other: Address) -> Lived:
    for address in (told, other):
        status, _ = load.probe(address, subject.request)
        if status != 200:
            raise RuntimeError(f"{subject.name}: {status} before anything was revoked")
    status, answer = load.probe(told, subject.ending)
    if not 200 <= status < 300:
        raise RuntimeError(f"{subject.name}: the revocation got {status} {answer!r}")
    answered = time.monotonic()
    last: dict[Address, float | None] = {told: None, other: None}
    asked = [told, other]
    while asked and time.monotonic() - answered < WATCH:
        alive = []
        for address in asked:
            began = time.monotonic() - answered
            status, _ = load.probe(address, subject.request)
            if status == 200:
                last[address] = began
                alive.append(address)
        asked = alive
        time.sleep(0.002)
    return Lived(subject.name, last[told], last[other])


def in_words(seconds: float | None) -> str:
    if seconds is None:
        return "dead at once"
    return f"alive after {WATCH:g} s" if seconds > WATCH - 0.5 else f"alive for {seconds:.3f} s"


def table(lived: list[Lived]) -> str:
    rows = [[one.name, in_words(one.same_worker), in_words(one.other_worker)] for one in lived]
    return report.table(["a revoked token", "in the worker that was told", "in another worker"], rows)
