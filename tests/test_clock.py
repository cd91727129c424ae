"""The machine's clocks, and the one that tests move."""

import time

import pytest

from keyhouse.clock import SystemClock
from support.clock import MovableClock


def test_elapsed_counts_while_the_machine_sleeps() -> None:
    """CLOCK_MONOTONIC stops then, and a worker that wakes up would take an hour-old view for fresh."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    before = time.clock_gettime(clock)
    reading = SystemClock().elapsed()
    assert before <= reading <= time.clock_gettime(clock)


def test_elapsed_never_goes_back() -> None:
    clock = SystemClock()
    readings = [clock.elapsed() for _ in range(1000)]
    assert readings == sorted(readings)


def test_wall_is_this_machines_time() -> None:
    before = time.time()
    assert before <= SystemClock().wall() <= time.time()


def test_the_databases_time_is_taken_as_it_is_told() -> None:
    assert SystemClock().database(1_700_000_000.25) == 1_700_000_000.25


def test_a_movable_clock_moves_all_of_its_readings() -> None:
    clock = MovableClock()
    before = (clock.elapsed(), clock.wall(), clock.database(100.0))
    clock.advance(3600)
    after = (clock.elapsed(), clock.wall(), clock.database(100.0))
    assert [b - a for a, b in zip(before, after, strict=True)] == pytest.approx([3600.0] * 3, abs=1)
