"""A worker's view of the credentials: what it holds, how new that is, and how to ask for the rest.

The promise of revocation rests on `View.confirm`, `View.admit` and `View.held`; docs/revocation.md proves it from them.
"""

from abc import ABC, abstractmethod
from collections.abc import Iterable

from keyhouse.clock import Clock
from keyhouse.credentials.cache import StateCache
from keyhouse.credentials.changes import Death, Head
from keyhouse.credentials.state import Reading, State
from keyhouse.errors import unavailable
from keyhouse.tokens import TokenUse

_NOTHING_HELD = 1 << 62


class View(ABC):
    """What one worker knows. All times are seconds; `confirmed_at` is by the elapsed clock."""

    def __init__(self, clock: Clock, cache: StateCache | None = None) -> None:
        self.clock = clock
        self.cache = StateCache() if cache is None else cache
        self.applied = -1
        self.bound = 0.0
        self.confirmed_at = float("-inf")
        self.hits = 0
        self.misses = 0

    def confirm(self, asked: float, head: Head, deaths: Iterable[Death]) -> None:
        """Takes over what the log said. `asked` is the moment before the question was sent, not when it was answered.

        Raises `service_unavailable` for a server that only follows another: it may be behind.
        """
        if head.in_recovery:
            raise unavailable("database is in recovery")
        if head.seq < self.applied or self.applied < head.pruned_seq:
            self.cache.clear()
        for death in deaths:
            if death.kind == "user":
                self.cache.forget_user(death.subject)
            else:
                self.cache.forget(death.subject)
        self.applied = head.seq
        self.bound = head.bound
        self.confirmed_at = asked

    def admit(self, reading: Reading) -> None:
        """Holds a state that was read and has not expired, unless a change after its snapshot was applied already."""
        if reading.state is not None and self.now() >= reading.state.expires_at:
            # It would push out one that lives.
            return
        if reading.state is not None and reading.seq >= self.applied:
            self.cache.put(reading.state)

    @property
    def since(self) -> int:
        """After which number the log is asked for entries; a view that holds nothing yet needs none."""
        return self.applied if self.applied >= 0 else _NOTHING_HELD

    def staleness(self) -> float:
        """Seconds since the moment for which this view is confirmed; infinite when that can't be told."""
        return self.clock.elapsed() - self.confirmed_at

    @abstractmethod
    def held(self, credential_id: str) -> State | None:
        """The state if it is held and may be trusted now; None means: ask. Never waits."""

    @abstractmethod
    async def load(self, use: TokenUse, credential_id: str) -> Reading:
        """Asks the database, for this caller alone. Raises `service_unavailable` when it does not answer in time."""

    @abstractmethod
    def now(self) -> float:
        """Seconds since 1970 by the database's clock, never less than before."""

    @abstractmethod
    async def open(self) -> None:
        """Begins to follow the log. Raises `service_unavailable` when the database can't be asked."""

    @abstractmethod
    async def close(self) -> None:
        """Stops following."""
