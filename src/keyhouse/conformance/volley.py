"""The promise of section 6, tried: requests on many connections while, and after, a token dies."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import httpx

from keyhouse.conformance.answer import Answer, Mismatch
from keyhouse.conformance.api import Api

_CONNECTIONS = 8
_BEFORE = 3
_AFTER = 25
_GIVE_UP_SECONDS = 30.0
# Statuses that let nobody in; 0 is no answer at all.
_REFUSED = frozenset({0, 401, 429, 503})
_SUCCESSES = range(200, 300)


@dataclass(frozen=True, slots=True)
class _Shot:
    """When a request began, and how it ended."""

    began: float
    status: int


class Volley:
    """Asks `path` with the token, again and again, on several connections, while `act` lets the token die."""

    def __init__(self, api: Api, path: str, token: str) -> None:
        self._api = api
        self._path = path
        self._headers = {"Authorization": f"Bearer {token}"}
        self._answered = float("inf")
        self._over = threading.Event()
        self._warm = threading.Semaphore(0)

    def around(self, act: Callable[[], Answer]) -> Answer:
        """The answer of `act`. Raises `Mismatch` when a request that began after it was let in."""
        with ThreadPoolExecutor(_CONNECTIONS) as pool:
            asking = [pool.submit(self._ask) for _ in range(_CONNECTIONS)]
            try:
                waits = [self._warm.acquire(timeout=_GIVE_UP_SECONDS) for _ in asking]
                answer = act()
                self._answered = time.perf_counter()
            finally:
                if self._answered == float("inf"):
                    self._over.set()
            shots = [shot for thread in asking for shot in thread.result()]
        if not all(waits):
            raise Mismatch(f"GET {self._path}", f"{_BEFORE} answers on each of {_CONNECTIONS} connections", "fewer")
        self._judge(answer, shots)
        return answer

    def _judge(self, answer: Answer, shots: list[_Shot]) -> None:
        before = [shot for shot in shots if shot.began < self._answered]
        after = [shot for shot in shots if shot.began >= self._answered]
        asked = f"GET {self._path} on {_CONNECTIONS} connections around {answer.asked}"
        if not any(shot.status in _SUCCESSES for shot in before):
            raise Mismatch(asked, "a token that lives before", f"{before[0].status}" if before else "no answer")
        late = [shot for shot in after if shot.status not in _REFUSED]
        if late:
            seconds = max(shot.began for shot in late) - self._answered
            raise Mismatch(
                asked,
                f"401 for every request that begins after the answer ({answer.status})",
                f"{late[0].status} for {len(late)} of {len(after)}, the last {seconds:.3f} s after it",
            )

    def _ask(self) -> list[_Shot]:
        shots: list[_Shot] = []
        after = 0
        end = time.perf_counter() + _GIVE_UP_SECONDS
        with self._api.connection() as http:
            while not self._over.is_set() and after < _AFTER and time.perf_counter() < end:
                began = time.perf_counter()
                try:
                    status = http.get(self._path, headers=self._headers).status_code
                except httpx.HTTPError:
                    status = 0
                shots.append(_Shot(began, status))
                after += began >= self._answered
                if len(shots) == _BEFORE:
                    self._warm.release()
        if len(shots) < _BEFORE:
            self._warm.release()
        return shots
