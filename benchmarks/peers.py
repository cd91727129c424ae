"""`make bench-peers`: Keyhouse and the peers in turn on one core, then how long a revoked token lives in each."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from functools import partial

from benchmarks import bars, contestants, load, ours, postgres, report, revocation, servers, store
from benchmarks import rounds as r


@contextmanager
def served(prepared: contestants.Prepared) -> Iterator[servers.Server]:
    server = prepared.start()
    try:
        yield server
    finally:
        server.stop()


def chosen(only: list[str]) -> list[contestants.Peer]:
    picked = []
    for peer in contestants.PEERS_TABLE:
        if only and not any(part in peer.name.lower() for part in only):
            continue
        reason = contestants.why_not(peer)
        if reason:
            print(f"{peer.name}: left out, {reason}", flush=True)
        else:
            picked.append(peer)
    return picked


def prepare(picked: list[contestants.Peer], database: str | None) -> list[contestants.Prepared]:
    done = []
    for peer in picked:
        print(f"preparing {peer.name}", flush=True)
        done.append(contestants.prepare(peer, database))
    return done


def series_of(prepared: contestants.Prepared, server: servers.Server) -> r.Series:
    """Peers with many tokens take them in turn, which costs those that look each up no more than a hot one."""
    body = contestants.check(prepared, server)
    stream = partial(load.in_turn if len(prepared.requests) > 100 else load.hot, prepared.requests)
    return r.Series(prepared.peer.name, server, stream, stream, body, prepared.peer.connections)


def lives(prepared: list[contestants.Prepared], stores: list[store.Store]) -> list[revocation.Lived]:
    """Each on two fresh servers, which nothing has warmed."""
    seen = []
    for one in prepared:
        if one.revoke is not None:
            with served(one) as told, served(one) as other:
                seen.append(revocation.watch(one.subject(), told.address, other.address))
    return seen + [ours.lived(one) for one in stores]


def versions() -> dict[str, str]:
    """What was measured: the pinned requirements of the peers."""
    lines = (contestants.PEERS / "requirements.txt").read_text().splitlines()
    return dict(line.split("==") for line in lines if "==" in line)


def main(options: argparse.Namespace) -> int:
    contestants.install()
    picked = chosen(options.only)
    node = any(peer.server == "node" for peer in picked)
    with ExitStack() as stack:
        database = stack.enter_context(postgres.running()) if postgres.binaries() else None
        prepared = prepare(picked, database)
        every = [series_of(one, stack.enter_context(served(one))) for one in prepared]
        our_series, stores = ours.beside_peers(stack, database, options)
        every += our_series
        rounds = r.interleave(every, count=options.rounds, seconds=options.seconds)
        print("watching revocations", flush=True)
        lived = lives(prepared, stores)
    print("\n" + report.rounds_table(rounds, [one.name for one in every]))
    print("\n" + revocation.table(lived))
    kinds = {one.name: "sees" if one.other_worker is None else "blind" for one in lived}
    kinds |= {one.name: "ours" for one in our_series}
    judged = tuple(bar for bar in bars.PEERS if node or not bar.needs_node)
    details = {"revocation": [asdict(one) for one in lived], "versions": versions()}
    return report.finish(options, "peers", rounds, bars.judge(judged, rounds, {}), details, kinds)
