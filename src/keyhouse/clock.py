"""Where time comes from. Whatever asks for the time is handed a `Clock`, so that tests move time and never sleep."""

import time
from functools import partial
from typing import Protocol

# Linux stops CLOCK_MONOTONIC while a machine is suspended: a worker would wake up and take an hour-old view for fresh.
_ELAPSED = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


class Clock(Protocol):
    """Two readings of this process, and the database's as this process takes it."""

    def elapsed(self) -> float:
        """Seconds on a clock that never jumps and counts while the machine sleeps."""

    def wall(self) -> float:
        """Seconds since 1970 by this machine."""

    def database(self, reading: float) -> float:
        """Seconds since 1970 by the database, given what it answered."""


class SystemClock:
    """The machine's clocks, read at each request: as they are, without a function of ours around them."""

    __slots__ = ()
    elapsed = staticmethod(partial(time.clock_gettime, _ELAPSED))
    wall = staticmethod(time.time)

    def database(self, reading: float) -> float:
        return reading
