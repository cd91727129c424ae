"""What clients saw of a set of workers, and the check that the promise of revocation was kept.

All times are seconds of one monotonic clock: a request begins just before its first byte is sent and ends, like a
death, when its answer has come. So "began after the answer" is a comparison of two readings.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

UNDECIDED = 503


class Request(NamedTuple):
    """A request with a right: the subject is a credential and what is asked with it."""

    subject: str
    worker: int
    began: float
    ended: float
    status: int

    @property
    def let_in(self) -> bool:
        return 200 <= self.status < 300


@dataclass(frozen=True, slots=True)
class Death:
    """A revocation, and the subjects that are dead once it is answered. An `answered` of None promises nothing: the
    request was refused, or its answer never came.
    """

    cause: str
    subjects: frozenset[str]
    began: float
    answered: float | None


@dataclass(frozen=True, slots=True)
class Violation:
    """A request that should have had the other answer, and the death that says so; None where no death had begun."""

    request: Request
    death: Death | None

    def __str__(self) -> str:
        request = self.request
        where = f"{request.subject} at worker {request.worker}: {request.status}"
        if self.death is None or self.death.answered is None:
            return f"{where}, before anything was revoked"
        late = (request.began - self.death.answered) * 1000
        return f"{where}, begun {late:.1f} ms after {self.death.cause} was answered"


@dataclass
class History:
    """Requests and deaths in whatever order they were noted."""

    requests: list[Request] = field(default_factory=list)
    deaths: list[Death] = field(default_factory=list)

    def late(self) -> list[Violation]:
        """Requests that were let in though they began after an answered death of their subject."""
        end: dict[str, Death] = {}
        for death in self.deaths:
            if death.answered is None:
                continue
            for subject in death.subjects:
                known = end.get(subject)
                if known is None or known.answered is None or death.answered < known.answered:
                    end[subject] = death
        return [
            Violation(request, death)
            for request in self.requests
            if request.let_in
            and (death := end.get(request.subject)) is not None
            and death.answered is not None
            and request.began > death.answered
        ]

    def early(self) -> list[Violation]:
        """Requests that were refused though they ended before any death of their subject began."""
        begin: dict[str, float] = {}
        for death in self.deaths:
            for subject in death.subjects:
                begin[subject] = min(death.began, begin.get(subject, death.began))
        return [
            Violation(request, None)
            for request in self.requests
            if not request.let_in
            and request.status != UNDECIDED
            and request.ended < begin.get(request.subject, float("inf"))
        ]

    def tested(self) -> Counter[tuple[str, int]]:
        """How many requests tried each answered death at each worker: a check of nothing finds nothing."""
        ends: dict[str, list[Death]] = {}
        for death in self.deaths:
            if death.answered is not None:
                for subject in death.subjects:
                    ends.setdefault(subject, []).append(death)
        tried: Counter[tuple[str, int]] = Counter()
        for request in self.requests:
            for death in ends.get(request.subject, ()):
                if death.answered is not None and request.began > death.answered:
                    tried[death.cause, request.worker] += 1
        return tried


@dataclass
class Findings:
    """What the histories of many scenes came to, each checked when it was over."""

    requests: int = 0
    late: list[str] = field(default_factory=list)
    early: list[str] = field(default_factory=list)
    answered: Counter[str] = field(default_factory=Counter)
    tested: Counter[tuple[str, int]] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)

    def add(self, name: str, history: History) -> None:
        self.requests += len(history.requests)
        self.late += [f"{name}: {violation}" for violation in history.late()]
        self.early += [f"{name}: {violation}" for violation in history.early()]
        self.answered.update(death.cause for death in history.deaths if death.answered is not None)
        self.tested += history.tested()
        self.statuses.update(request.status for request in history.requests)

    @property
    def deaths(self) -> int:
        return self.answered.total()


def in_words(violations: Sequence[str], most: int = 10) -> str:
    """For a failed assertion."""
    lines = list(violations[:most])
    if len(violations) > most:
        lines.append(f"and {len(violations) - most} more")
    return "\n".join(lines)
