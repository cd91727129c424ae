"""The bars, as the project set them: floors for ratios of requests per second within one run, ceilings for the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks import rounds as r


@dataclass(frozen=True)
class Bar:
    """A ratio of two series (`top` ÷ `bottom`), or one figure by its name (`top` alone)."""

    what: str
    top: str
    bottom: str = ""
    at_least: float | None = None
    at_most: float | None = None
    needs_node: bool = False


OURS = (
    *(
        bar
        for database in ("SQLite", "PostgreSQL")
        for bar in (
            Bar(
                f"guarded ÷ empty dependency, hot, {database}",
                f"guarded, hot, {database}",
                f"empty dependency, {database}",
                at_least=0.90,
            ),
            Bar(
                f"guarded ÷ unguarded, hot, {database}",
                f"guarded, hot, {database}",
                f"unguarded, {database}",
                at_least=0.80,
            ),
            Bar(
                f"guarded ÷ unguarded, 10,000 in turn, {database}",
                f"guarded, in turn, {database}",
                f"unguarded, {database}",
                at_least=0.74,
            ),
            Bar(
                f"time of a new token, 10 million keys ÷ 10 thousand, {database}",
                f"new tokens among 10,000 keys, {database}",
                f"new tokens among 10,000,000 keys, {database}",
                at_most=1.3,
            ),
            Bar(f"acceptances after the answer, {database}", f"late acceptances, {database}", at_most=0),
        )
    ),
    Bar("p99 during 200 logins ÷ idle", "login storm", at_most=1.5),
    Bar("MiB of memory for 1 million keys seen", "memory", at_most=150),
    Bar("seconds until the pytest plugin's server is up", "start", at_most=2),
)

PEERS = (
    Bar("guarded ÷ fastapi-users (database)", "Keyhouse, hot, SQLite", "fastapi-users, database", at_least=11),
    Bar("guarded ÷ hand-written look-up, SQLite", "Keyhouse, hot, SQLite", "hand-written, SQLite", at_least=7),
    Bar(
        "guarded ÷ hand-written look-up, PostgreSQL",
        "Keyhouse, hot, PostgreSQL",
        "hand-written, PostgreSQL",
        at_least=7,
    ),
    Bar("guarded ÷ authx", "Keyhouse, hot, SQLite", "authx", at_least=3),
    Bar("guarded ÷ Litestar", "Keyhouse, hot, SQLite", "Litestar JWTAuth", at_least=1.2),
    Bar("verify/ ÷ @fastify/jwt", "Keyhouse, verify/", "@fastify/jwt", at_least=1.0, needs_node=True),
    Bar("new tokens ÷ hand-written, SQLite", "Keyhouse, new tokens, SQLite", "hand-written, SQLite", at_least=1.5),
    Bar(
        "new tokens ÷ hand-written, PostgreSQL",
        "Keyhouse, new tokens, PostgreSQL",
        "hand-written, PostgreSQL",
        at_least=1.5,
    ),
)


@dataclass(frozen=True)
class Verdict:
    bar: Bar
    value: float | None

    @property
    def met(self) -> bool:
        if self.value is None:
            return False
        if self.bar.at_least is not None:
            return self.value >= self.bar.at_least
        return self.bar.at_most is not None and self.value <= self.bar.at_most


def by_cpu(verdict: Verdict, rounds: list[r.Round]) -> float | None:
    """The same ratio by the servers' processor time, which a busy machine moves less; None for what is no ratio."""
    if verdict.value is None or not verdict.bar.bottom:
        return None
    return 1 / r.ratio(rounds, verdict.bar.top, verdict.bar.bottom, "cpu_us")


def judge(bars: tuple[Bar, ...], rounds: list[r.Round], figures: Mapping[str, float]) -> list[Verdict]:
    """Every bar with its value; None where the run has not measured it."""
    measured = {one.series for one in rounds}
    verdicts = []
    for bar in bars:
        value = figures.get(bar.top)
        if bar.bottom:
            value = r.ratio(rounds, bar.top, bar.bottom) if {bar.top, bar.bottom} <= measured else None
        verdicts.append(Verdict(bar, value))
    return verdicts
