"""A clock that tests move by hand."""

from keyhouse.clock import SystemClock


class MovableClock(SystemClock):
    """The machine's clocks, moved by `offset` seconds, the database's included."""

    __slots__ = ("offset",)

    def __init__(self) -> None:
        self.offset = 0.0

    def advance(self, seconds: float) -> None:
        self.offset += seconds

    def elapsed(self) -> float:
        return super().elapsed() + self.offset

    def wall(self) -> float:
        return super().wall() + self.offset

    def database(self, reading: float) -> float:
        return reading + self.offset
