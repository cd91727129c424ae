"""`make bench`: Keyhouse against itself, and its part beside the peers.

Six parts, each a function that adds rounds and figures: guard, growth, storm, memory, late, start. `--only` picks some.
"""

from __future__ import annotations

import argparse
import itertools
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from itertools import islice
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from time import perf_counter
from typing import Any

from benchmarks import bars, late, load, ours_app, postgres, report, revocation, servers, storm
from benchmarks import rounds as r
from benchmarks import store as s
from keyhouse.testing.server import running

TURN = 10_000  # tokens in turn
COLD = 350  # tokens new to the worker, in each round
WARM_COLD = 15  # and before it, uncounted
VERIFY = "/api/v1/auth/verify/"
SMALL, LARGE = 10_000, 10_000_000
SEEN = 1_000_000
LONGER = 12  # times the seconds, and a part of the rounds, where one says little in a moment
MIB = 1 << 20
TITLES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


@dataclass
class Results:
    """What the parts have found so far. `figures` are what bars are judged by, `details` is kept beside them."""

    rounds: list[r.Round] = field(default_factory=list)
    figures: dict[str, float] = field(default_factory=dict)
    details: dict[str, Any] = field(default_factory=dict)


@contextmanager
def serving(
    store: s.Store, *, workers: int = 1, core: int | None = servers.SERVER_CORE, factory: str = "create"
) -> Iterator[servers.Server]:
    server = store.serve(workers=workers, core=core, factory=factory)
    try:
        yield server
    finally:
        server.stop()


def made(name: str, keys: int, *, cluster: str | None = None, revoke_every: int = 0) -> s.Store:
    print(f"making a store of {keys:,} keys on {'PostgreSQL' if cluster else 'SQLite'}", flush=True)
    return s.make(name, keys, cluster=cluster, revoke_every=revoke_every)


def databases(cluster: str | None) -> dict[str, str | None]:
    return {"sqlite": None, **({"postgresql": cluster} if cluster else {})}


def check(server: servers.Server, good: bytes, bad: bytes) -> bytes:
    """A good request gets a body, a bad one 401; returns the body."""
    status, body = load.probe(server.address, good)
    if status not in {200, 204}:
        raise RuntimeError(f"{server.name}: a good token got {status} {body!r}")
    status, refusal = load.probe(server.address, bad)
    if status != 401:
        raise RuntimeError(f"{server.name}: garbage got {status} {refusal!r}")
    return body or b"\r\n\r\n"


def hot(name: str, server: servers.Server, request: bytes, body: bytes) -> r.Series:
    stream = partial(load.hot, [request])
    return r.Series(name, server, stream, stream, body)


def cold(name: str, store: s.Store, server: servers.Server, body: bytes, keys: range, count: int) -> r.Series:
    """Tokens from everywhere in `keys`, each once, ever: those of `count` rounds, and those of their warming up.

    No multiple of ten, since those may be revoked, and not the first, which the check has used.
    """
    size = min(COLD, len(keys) * 9 // 10 // count - WARM_COLD - 9)
    step = len(keys) * 9 // 10 // (count * (size + WARM_COLD) + 9)
    live = (keys.start + 10 * (n // 9) + n % 9 + 1 for n in itertools.count(9 * step, step))
    return r.Series(
        name,
        server,
        lambda: load.once(store.requests(islice(live, size))),
        lambda: load.once(store.requests(islice(live, WARM_COLD))),
        body,
        seconds=60.0,
    )


def guard_series(stack: ExitStack, store: s.Store, options: argparse.Namespace) -> list[r.Series]:
    """One application, one path, one handler, three times: what stands before the handler differs."""
    title = TITLES[store.kind]
    garbage = load.request_bytes(store.path(ours_app.PATH), {"Authorization": "Bearer e30.e30.e30"})
    server = stack.enter_context(serving(store))
    body = check(server, store.request(0), garbage)
    many = store.requests(range(TURN))
    # Through all rounds, or each would only see the first of them; the worker meets all of them before.
    in_turn = load.in_turn(many)
    load.run(server.address, load.once(many), seconds=60.0, body=body)
    unguarded = stack.enter_context(serving(store, factory="create_unguarded"))
    empty = stack.enter_context(serving(store, factory="create_empty"))
    return [
        hot(f"unguarded, {title}", unguarded, many[0], body),
        hot(f"empty dependency, {title}", empty, many[0], body),
        hot(f"guarded, hot, {title}", server, many[0], body),
        r.Series(
            f"guarded, in turn, {title}",
            server,
            lambda: in_turn,
            lambda: in_turn,
            body,
        ),
        cold(f"guarded, new tokens, {title}", store, server, body, range(TURN, store.keys), options.rounds),
    ]


def cold_keys(options: argparse.Namespace) -> int:
    """How many keys a store needs for the tokens in turn and the new ones."""
    rounds: int = options.rounds
    return TURN + rounds * (COLD + WARM_COLD + 20) * 10 // 9 // 10 * 10 + 20


def guard(cluster: str | None, options: argparse.Namespace, results: Results) -> None:
    """Guarded against unguarded: the same application, the same handler, hot, in turn and cold."""
    with ExitStack() as stack:
        every: list[r.Series] = []
        for kind, where in databases(cluster).items():
            store = made(f"guard-{kind}", cold_keys(options), cluster=where)
            every += guard_series(stack, store, options)
        results.rounds += r.interleave(every, count=options.rounds, seconds=options.seconds)


def growth(cluster: str | None, options: argparse.Namespace, results: Results) -> None:
    """A new token's price among ten thousand keys and among ten million, a tenth of them revoked."""
    for kind, where in databases(cluster).items():
        with ExitStack() as stack:
            every = []
            for keys in (SMALL, LARGE if not options.quick else LARGE // 100):
                store = made(f"growth-{kind}-{keys}", keys, cluster=where, revoke_every=10)
                server = stack.enter_context(serving(store))
                body = check(server, store.request(1), b"GET /api/v1/auth/me/ HTTP/1.1\r\nHost: bench\r\n\r\n")
                name = f"new tokens among {keys:,} keys, {TITLES[kind]}"
                every.append(cold(name, store, server, body, range(keys), options.rounds))
            results.rounds += r.interleave(every, count=options.rounds, seconds=options.seconds)


def longer(options: argparse.Namespace) -> int:
    """The number of rounds where each takes seconds."""
    return max(1, int(options.rounds) // LONGER)


def login_storm(_: str | None, options: argparse.Namespace, results: Results) -> None:
    """The guard's p99 on two cores, alone and while 200 clients log in again and again."""
    store = made("storm", 10)
    seen: Counter[str] = Counter()
    # A 99th percentile wants many requests.
    seconds = options.seconds * LONGER
    with serving(store, core=None) as server:

        def blowing() -> AbstractContextManager[None]:
            return storm.blowing(store, server.address, seen)

        found = storm.compare(server, store.request(0), blowing, longer(options), seconds)
    results.figures["login storm"] = found.ratio
    results.details["login storm"] = {**asdict(found), "answers": dict(seen)}
    print(f"  answers to the storm: {dict(seen)}")


def memory(_: str | None, options: argparse.Namespace, results: Results) -> None:
    """What a worker's memory has grown by after a million different keys."""
    keys = SEEN if not options.quick else SEEN // 100
    store = made("memory", keys)
    with serving(store) as server:
        body = check(server, store.request(0), load.request_bytes(store.path(ours_app.PATH), {}))
        load.run(server.address, load.hot([store.request(0)]), seconds=1.0, body=body)
        before = server.memory()
        for start in range(0, keys, keys // 10):
            stream = (store.request(number) for number in range(start, start + keys // 10))
            run = load.run(server.address, stream, seconds=3600, body=body)
            grown = (server.memory() - before) / MIB
            print(f"  {start + keys // 10:,} keys seen: {grown:+,.0f} MiB, {run.rate:,.0f} req/s", flush=True)
    if keys == SEEN:
        results.figures["memory"] = grown
    results.details["memory"] = {"start_mib": before / MIB, "grown_mib": grown, "keys": keys}


def late_acceptances(cluster: str | None, options: argparse.Namespace, results: Results) -> None:
    """A million requests and a thousand revocations over four workers: none let in after the answer."""
    part = 1 if not options.quick else 10
    for kind, where in databases(cluster).items():
        store = made(f"late-{kind}", 1_000, cluster=where)
        with serving(store, workers=4, core=None) as server:
            found = late.hammer(store, server, revocations=1_000 // part, requests=1_000_000 // part)
        print(f"  {TITLES[kind]}: {found.line()}", flush=True)
        results.figures[f"late acceptances, {TITLES[kind]}"] = found.accepted_late
        results.details[f"late acceptances, {TITLES[kind]}"] = {**asdict(found), "unexpected": dict(found.unexpected)}


def start(_: str | None, options: argparse.Namespace, results: Results) -> None:
    """How long the tests of somebody who uses the pytest plugin wait for its server."""
    took = []
    for _round in range(longer(options)):
        with TemporaryDirectory() as folder:
            began = perf_counter()
            with running(Path(folder)):
                took.append(perf_counter() - began)
    results.figures["start"] = median(took)
    results.details["start"] = {"seconds": took}


Part = Callable[[str | None, argparse.Namespace, Results], None]
PARTS: dict[str, Part] = {
    "guard": guard,
    "growth": growth,
    "storm": login_storm,
    "memory": memory,
    "late": late_acceptances,
    "start": start,
}


def main(options: argparse.Namespace) -> int:
    results = Results()
    with ExitStack() as stack:
        cluster = stack.enter_context(postgres.running()) if postgres.binaries() else None
        for name, part in PARTS.items():
            if not options.only or name in options.only:
                print(f"\n{name}: {part.__doc__}", flush=True)
                part(cluster, options, results)
    names = list(dict.fromkeys(one.series for one in results.rounds))
    if names:
        print("\n" + report.rounds_table(results.rounds, names))
    verdicts = bars.judge(bars.OURS, results.rounds, results.figures)
    kinds = {name: "ours" for name in names if name.startswith(("guarded", "new tokens"))}
    return report.finish(options, "ours", results.rounds, verdicts, results.details, kinds)


def beside_peers(
    stack: ExitStack, cluster: str | None, options: argparse.Namespace
) -> tuple[list[r.Series], list[s.Store]]:
    """The series that the peers are compared with, and their stores."""
    if options.only and "keyhouse" not in options.only:
        return [], []
    every, stores = [], []
    for kind, where in databases(cluster).items():
        store = made(f"peers-{kind}", cold_keys(options), cluster=where)
        server = stack.enter_context(serving(store, factory="embed"))
        garbage = {"Authorization": "Bearer e30.e30.e30"}
        body = check(server, store.request(0), load.request_bytes(store.path(ours_app.PATH), garbage))
        title = TITLES[kind]
        every.append(hot(f"Keyhouse, hot, {title}", server, store.request(0), body))
        every.append(cold(f"Keyhouse, new tokens, {title}", store, server, body, range(store.keys), options.rounds))
        if kind == "sqlite":
            reference = stack.enter_context(serving(store))
            nothing = check(reference, store.request(0, VERIFY), load.request_bytes(VERIFY, garbage))
            every.append(hot("Keyhouse, verify/", reference, store.request(0, VERIFY), nothing))
            every.append(hot("Keyhouse as a server, hot, SQLite", reference, store.request(0), body))
        stores.append(store)
    return every, stores


def lived(store: s.Store) -> revocation.Lived:
    """How long a key lives that deletes itself, in the worker that was told and in another."""
    path = store.path("/api/v1/companies/{company_id}/api-keys/") + s.key_id(1) + "/"
    ending = revocation.ending("DELETE", path, f"Bearer {store.token(1)}", None)
    subject = revocation.Subject(f"Keyhouse, {TITLES[store.kind]}", store.request(1), ending)
    with serving(store) as told, serving(store) as other:
        return revocation.watch(subject, told.address, other.address)
