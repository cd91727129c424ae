"""The figures that pages quote, from `benchmarks/results/*.json`. A page without results quotes none."""

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

from support.site import ROOT

RESULTS = ROOT / "benchmarks" / "results"
_BLOCK = re.compile(r"(<!-- figures: ([a-z-]+) -->\n).*?(<!-- end -->)", re.DOTALL)
_STREAMS = {
    "unguarded": "no guard",
    "empty dependency": "an empty dependency",
    "guarded, hot": "the guard, one key again and again",
    "guarded, in turn": "the guard, 10,000 keys in turn",
    "guarded, new tokens": "the guard, keys that this worker never saw",
}
_DATABASES = ("SQLite", "PostgreSQL")


def filled(page: str, results: Path = RESULTS) -> str:
    """The page with each block of figures made anew."""

    def block(found: re.Match[str]) -> str:
        name, maker = BLOCKS[found[2]]
        kept = results / f"{name}.json"
        text = maker(json.loads(kept.read_text())) if kept.exists() else _missing(name)
        return f"{found[1]}{text}\n{found[3]}"

    return _BLOCK.sub(block, page)


def _missing(name: str) -> str:
    command = {
        "ours": "make bench",
        "peers": "make bench-peers",
        "anatomy": "python -m benchmarks anatomy",
    }[name]
    return f"*No run is kept yet: `{command}` makes one on your machine, and `make docs ARGS=--write` puts it here.*"


def _measured(kept: Mapping[str, Any]) -> str:
    on = kept["machine"]
    return f"Measured on {kept['date'][:10]}, {on['processor']}, {on['cores']} cores, Python {on['python']}."


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---", *["---:"] * (len(head) - 1)], *rows]
    return "\n".join(f"| {' | '.join(cells)} |" for cells in lines)


def _series(kept: Mapping[str, Any], name: str, figure: str) -> float | None:
    found = [one[figure] for one in kept["rounds"] if one["series"] == name]
    return median(found) if found else None


def _rate(kept: Mapping[str, Any], name: str) -> str:
    found = _series(kept, name, "requests_per_second")
    return "-" if found is None else f"{found:,.0f}"


def _cpu(kept: Mapping[str, Any], name: str) -> str:
    found = _series(kept, name, "cpu_us")
    return "-" if found is None else f"{found:,.0f}"


def _worker(kept: Mapping[str, Any]) -> str:
    rows = [
        [said, *(cell for on in _DATABASES for cell in (_rate(kept, f"{of}, {on}"), _cpu(kept, f"{of}, {on}")))]
        for of, said in _STREAMS.items()
    ]
    head = ["in front of the handler", *(f"{on}, {what}" for on in _DATABASES for what in ("req/s", "CPU µs"))]
    return f"{_measured(kept)} One worker on one core.\n\n{_table(head, rows)}"


def _growth(kept: Mapping[str, Any]) -> str:
    sizes = ("10,000", "10,000,000")
    rows = [[size, *(_rate(kept, f"new tokens among {size} keys, {on}") for on in _DATABASES)] for size in sizes]
    grown = kept.get("memory", {})
    told = _table(["keys in the store", *(f"{on}, new keys/s" for on in _DATABASES)], rows)
    if grown:
        told += f"\n\nA worker that saw {grown['keys']:,} different keys had grown by {grown['grown_mib']:,.0f} MiB."
    return told


def _storm(kept: Mapping[str, Any]) -> str:
    seen = kept["login storm"]
    alone, stormy = median(seen["p99_ms_alone"]), median(seen["p99_ms_in_the_storm"])
    busy, busier = median(seen["busy_alone"]), median(seen["busy_in_the_storm"])
    return (
        f"The guard's 99th percentile was {alone:.1f} ms alone and {stormy:.1f} ms while 200 clients logged in. "
        f"The worker's event loop was busy for {busy:.0%} of the time alone and for {busier:.0%} in the storm."
    )


def _late(kept: Mapping[str, Any]) -> str:
    rows = []
    for on in _DATABASES:
        if seen := kept.get(f"late acceptances, {on}"):
            times = [f"{median(seen[name]):,.0f} ms" for name in ("last_ms", "answer_ms")]
            rows.append([on, f"{seen['requests']:,}", f"{seen['revocations']:,}", str(seen["accepted_late"]), *times])
    head = ["", "requests", "revocations", "let in after the answer", "last one let in after", "answered after"]
    return _table(head, rows)


def _peers(kept: Mapping[str, Any]) -> str:
    names = list(dict.fromkeys(one["series"] for one in kept["rounds"]))
    ordered = sorted(names, key=lambda name: _series(kept, name, "cpu_us") or 0.0)
    rows = [[name, _rate(kept, name), _cpu(kept, name)] for name in ordered]
    used = ", ".join(f"{name} {version}" for name, version in kept.get("versions", {}).items())
    return f"{_measured(kept)} One worker on one core.\n\n{_table(['', 'req/s', 'CPU µs'], rows)}\n\nWith {used}."


def _lived(kept: Mapping[str, Any]) -> str:
    def told(seconds: float | None, watched: float = 4.5) -> str:
        if seconds is None:
            return "at once"
        return "longer than 5 s" if seconds > watched else f"after {seconds * 1000:,.0f} ms"

    rows = [[one["name"], told(one["same_worker"]), told(one["other_worker"])] for one in kept["revocation"]]
    return _table(["a revoked token is refused", "by the worker that was told", "by another one"], rows)


def _anatomy(kept: Mapping[str, Any]) -> str:
    took, loops = kept["least_us"], kept["loops_us"]
    rows = [
        ["no dependency", f"{took['plain']:.0f}", ""],
        ["an empty dependency: FastAPI's own price", f"{took['empty']:.0f}", f"{took['empty'] - took['plain']:.0f}"],
        ["the guard, as on PostgreSQL", f"{took['uncounted']:.0f}", f"{took['uncounted'] - took['empty']:.0f}"],
        ["and SQLite's look for commits", f"{took['guarded']:.0f}", f"{took['guarded'] - took['uncounted']:.0f}"],
    ]
    told = ", ".join(f"{name} {cost:.1f} µs" for name, cost in loops.items())
    table = _table(["before the handler stands", "µs of a request", "µs more"], rows)
    said = "Processor time within the application, the least of all rounds."
    return f"{_measured(kept)} {said}\n\n{table}\n\nIn a loop by themselves: {told}."


def _storm_anatomy(kept: Mapping[str, Any]) -> str:
    titles = {
        "hashes": "hashes of another program, one after the other",
        "refused": "log-ins that are all sent away",
        "unhashed": "log-ins whose hashes take no processor",
        "storm": "the whole storm",
    }
    rows = [
        [title, f"{one['ratio']:.2f}", f"{median(one['busy_alone']):.0%}", f"{median(one['busy_in_the_storm']):.0%}"]
        for name, title in titles.items()
        for one in (kept["storm"][name],)
    ]
    head = ["beside guarded requests", "p99 ÷ alone", "loop busy alone", "and beside it"]
    return f"{_measured(kept)}\n\n{_table(head, rows)}"


def _bars(kept: Mapping[str, Any]) -> str:
    rows = []
    for bar in kept["bars"]:
        bound = f"≥ {bar['at_least']:g}" if bar["at_least"] is not None else f"≤ {bar['at_most']:g}"
        by_cpu = "" if bar["by_cpu"] is None else f"{bar['by_cpu']:.2f}"
        value = "-" if bar["value"] is None else f"{bar['value']:.3g}" if bar["value"] < 100 else f"{bar['value']:,.0f}"
        rows.append([bar["what"], bound, value, by_cpu, "yes" if bar["met"] else "**no**"])
    return f"{_measured(kept)}\n\n{_table(['', 'bar', 'measured', 'by CPU time', 'met'], rows)}"


# What a block may be called: the run that it is taken from, and what makes it.
BLOCKS = {
    "bars-ours": ("ours", _bars),
    "bars-peers": ("peers", _bars),
    "anatomy": ("anatomy", _anatomy),
    "storm-anatomy": ("anatomy", _storm_anatomy),
    "worker": ("ours", _worker),
    "growth": ("ours", _growth),
    "storm": ("ours", _storm),
    "late": ("ours", _late),
    "peers": ("peers", _peers),
    "lived": ("peers", _lived),
}
