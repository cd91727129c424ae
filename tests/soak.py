"""The long versions of the tests of revocation and of `kill -9`: a million requests and a thousand kills per database.

    python -m tests.soak [--requests N] [--revocations N] [--kills N] [--workers N] [--database sqlite|postgresql]

Exit status 1 when somebody was let in after the answer to a revocation, or when something is not as it was answered.
"""

# ruff: noqa: T201 - a program that prints

import argparse
import asyncio
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import uvloop

sys.path.insert(0, str(Path(__file__).parent))

from keyhouse.db import Database, migrations
from support.history import Findings, in_words
from support.killing import Ledger, kill_again_and_again
from support.postgres import running_postgres
from support.scenes import stage_of
from support.servers import Server, Servers, running_servers
from support.strikes import ALONE, CAUSES, PAIRS
from support.traffic import play, traffic_to

_DATABASES = ("sqlite", "postgresql")
_CLIENTS_PER_WORKER = 4
_SCENES_AT_ONCE = 12
_APART = 0.15
_BOUND_MS = 100
_TOLD_EVERY = 5.0


class Progress:
    """A line that tells how far it is: over and over on a terminal, now and then elsewhere."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._told = 0.0

    def tell(self, line: str) -> None:
        now = time.monotonic()
        if now - self._told >= (0.2 if sys.stdout.isatty() else _TOLD_EVERY):
            self._told = now
            print(f"  {now - self._began:6.0f} s  {line}", end="\r" if sys.stdout.isatty() else "\n", flush=True)


@contextmanager
def _database(kind: str, folder: Path) -> Iterator[str]:
    """The URL of a fresh one, at head, with the bound of the tests."""
    if kind == "sqlite":
        url = f"sqlite:///{folder}/keyhouse.db"
        asyncio.run(_migrate(url))
        yield url
        return
    with running_postgres() as server:
        asyncio.run(_migrate(server.url()))
        server.sql(f"UPDATE change_head SET bound_ms = {_BOUND_MS}")
        yield server.url()


async def _migrate(url: str) -> None:
    database = Database(url)
    await migrations.upgrade(database)
    await database.close()


async def _history(url: str, workers: Sequence[Server], requests: int, revocations: int) -> Findings:
    """Every death and every pair of them, round after round, until there were so many requests and revocations."""
    findings, progress = Findings(), Progress()
    rounds = 0
    async with stage_of(url, workers) as stage, traffic_to(workers, _CLIENTS_PER_WORKER) as traffic:
        while findings.requests < requests or findings.deaths < revocations:
            rounds += 1
            playing = asyncio.create_task(
                play(stage, traffic, ALONE + PAIRS, at_once=_SCENES_AT_ONCE, apart=_APART, findings=findings)
            )
            while not playing.done():
                await asyncio.wait([playing], timeout=0.2)
                progress.tell(
                    f"round {rounds}: {findings.requests:,} requests, {findings.deaths:,} revocations, "
                    f"{len(findings.late)} late, {len(findings.early)} early"
                )
            await playing
            await asyncio.to_thread(_forget_logs, workers)
    return findings


def _forget_logs(workers: Sequence[Server]) -> None:
    """A million lines each would fill a disk. What is an error is told."""
    for worker in workers:
        for complaint in worker.complaints():
            raise RuntimeError(f"worker at port {worker.port}: {complaint}")
        os.truncate(worker.log, 0)


def _table(findings: Findings) -> str:
    """Of each cause: its answered revocations, and the requests that tried it afterwards, at the worker with the
    fewest.
    """
    workers = {worker for _, worker in findings.tested}
    lines = [f"  {'cause':<26}{'answered':>10}{'tried at each worker':>24}"]
    for cause in CAUSES:
        least = min(findings.tested[cause, worker] for worker in workers)
        lines.append(f"  {cause:<26}{findings.answered[cause]:>10,}{f'at least {least:,}':>24}")
    return "\n".join(lines)


def _soak(kind: str, arguments: argparse.Namespace) -> bool:
    """Whether all was well on this kind of database."""
    with tempfile.TemporaryDirectory(prefix="keyhouse-soak-") as name:
        folder = Path(name)
        with _database(kind, folder) as url, running_servers(folder) as servers:
            print(f"\n{kind}: {arguments.workers} workers", flush=True)
            began = time.monotonic()
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as fast:
                findings = fast.run(
                    _history(url, _workers(servers, url, arguments.workers), arguments.requests, arguments.revocations)
                )
            seconds = time.monotonic() - began
            print(f"\n{_table(findings)}")
            print(f"  {findings.requests:,} requests, {findings.deaths:,} revocations in {seconds:.0f} s: ", end="")
            print(f"{len(findings.late)} let in after the answer, {len(findings.early)} refused before their time")
            violations = findings.late + findings.early
            if violations:
                print(in_words(violations))
        if arguments.kills:
            return _kill(kind, folder / "kills", arguments.kills) and not violations
    return not violations


def _workers(servers: Servers, url: str, count: int) -> list[Server]:
    """Half of them are told of nothing, as on a half-open connection."""
    started = [servers.start(url, without=["notifications"] if number % 2 else []) for number in range(count)]
    for worker in started:
        worker.wait_until_ready()
    return started


def _kill(kind: str, folder: Path, times: int) -> bool:
    """Whether what was answered held through so many kills."""
    folder.mkdir()
    progress = Progress()

    def tell(number: int, ledger: Ledger) -> None:
        done = f"{len(ledger.created):,} created, {len(ledger.rotated):,} rotated, {len(ledger.revoked):,} revoked"
        progress.tell(f"{number} of {times} kills: {done}")
        for log in folder.glob("*.log"):
            log.unlink()

    with _database(kind, folder) as url, running_servers(folder) as servers:
        try:
            ledger = asyncio.run(kill_again_and_again(url, servers, times, tell))
        except AssertionError as error:
            print(f"\n  after a kill: {error}")
            return False
    tried = ", ".join(
        f"{ledger.answered(kind):,} of {count:,} {kind}s answered" for kind, count in ledger.tried.items()
    )
    print(f"\n  {times:,} kills: {tried}; every answer held, nothing was there by halves")
    return True


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--requests", type=int, default=1_000_000)
    parser.add_argument("--revocations", type=int, default=1_000)
    parser.add_argument("--kills", type=int, default=1_000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--database", choices=_DATABASES, action="append")
    arguments = parser.parse_args()
    results = [_soak(kind, arguments) for kind in arguments.database or _DATABASES]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main())
