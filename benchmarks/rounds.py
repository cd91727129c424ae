"""Rounds: every series once, then all again, so that what the machine does in between meets all of them alike."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from functools import partial

from benchmarks import load, servers

WARM = 0.05  # seconds before each measurement


@dataclass
class Series:
    """One server under one stream of requests. `warm` is a stream that may be spent without counting."""

    name: str
    server: servers.Server
    stream: Callable[[], Iterator[bytes]]
    warm: Callable[[], Iterator[bytes]]
    body: bytes
    connections: int = 16
    seconds: float | None = None  # where the stream's own end is the end
    warm_seconds: float = WARM


@dataclass
class Round:
    """What is kept of one measurement. Times are in the unit that the name says."""

    series: str
    number: int
    requests_per_second: float
    cpu_us: float
    server_busy: float
    client_busy: float
    others_busy: float
    p50_ms: float
    p99_ms: float
    answers: int
    wrong: int


def measure(series: Series, number: int, seconds: float) -> Round:
    send = partial(load.run, series.server.address, connections=series.connections, body=series.body)
    send(series.warm(), seconds=series.warm_seconds)
    stream = series.stream()  # made before anything is counted
    cpu, core = series.server.cpu(), servers.core_busy(servers.SERVER_CORE)
    run = send(stream, seconds=series.seconds or seconds)
    cpu = series.server.cpu() - cpu
    others = servers.core_busy(servers.SERVER_CORE) - core - cpu
    return Round(
        series=series.name,
        number=number,
        requests_per_second=run.rate,
        cpu_us=cpu / run.answers * 1e6,
        server_busy=cpu / run.seconds,
        client_busy=run.client_cpu / run.seconds,
        others_busy=max(0.0, others / run.seconds),
        p50_ms=run.percentile(0.5) * 1e3,
        p99_ms=run.percentile(0.99) * 1e3,
        answers=run.answers,
        wrong=run.wrong,
    )


def interleave(every: list[Series], *, count: int, seconds: float) -> list[Round]:
    done: list[Round] = []
    for number in range(1, count + 1):
        print(f"round {number} of {count}", flush=True)
        for series in every:
            one = measure(series, number, seconds)
            warning = f"  {one.wrong} WRONG" if one.wrong else ""
            print(
                f"  {series.name:<34}{one.requests_per_second:>9,.0f} req/s{one.cpu_us:>9.1f} µs CPU{warning}",
                flush=True,
            )
            done.append(one)
    return done


def of(rounds: list[Round], series: str) -> list[Round]:
    return [one for one in rounds if one.series == series]


def median(rounds: list[Round], series: str, field: str) -> float:
    return float(statistics.median(getattr(one, field) for one in of(rounds, series)))


def ratio(rounds: list[Round], top: str, bottom: str, field: str = "requests_per_second") -> float:
    """The median of the ratios within each round, which a slow minute of the machine moves less than either side."""
    pairs = zip(of(rounds, top), of(rounds, bottom), strict=True)
    return float(statistics.median(getattr(one, field) / getattr(other, field) for one, other in pairs))


def as_rows(rounds: list[Round]) -> list[dict[str, object]]:
    return [asdict(one) for one in rounds]
