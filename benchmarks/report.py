"""What a run leaves behind: tables on the terminal, the raw rounds as JSON, a plot as SVG."""

from __future__ import annotations

import argparse
import datetime as dt
import json
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks import bars as b
from benchmarks import plot
from benchmarks import rounds as r

CLIENT_BUSY = 0.9  # of its core: beyond it the load generator, not the server, may be what limits
OTHERS_BUSY = 0.05  # of the server's core: beyond it a neighbour disturbs


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Text to the left, figures to the right."""
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    lines = [[*head], ["-" * width for width in widths], *rows]
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def machine() -> dict[str, Any]:
    models = [
        line.split(":")[1].strip() for line in Path("/proc/cpuinfo").read_text().splitlines() if "model name" in line
    ]
    return {
        "processor": models[0] if models else platform.machine(),
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
    }


def rounds_table(rounds: list[r.Round], names: Sequence[str]) -> str:
    rows = []
    for name in names:
        rates = [one.requests_per_second for one in r.of(rounds, name)]
        rows.append(
            [
                name,
                f"{r.median(rounds, name, 'requests_per_second'):,.0f}",
                f"{min(rates):,.0f}-{max(rates):,.0f}",
                f"{r.median(rounds, name, 'cpu_us'):,.1f}",
                f"{r.median(rounds, name, 'p50_ms'):.2f}",
                f"{r.median(rounds, name, 'p99_ms'):.2f}",
                f"{r.median(rounds, name, 'server_busy'):.0%}",
                f"{r.median(rounds, name, 'client_busy'):.0%}",
                str(sum(one.wrong for one in r.of(rounds, name))),
            ]
        )
    head = ["median of the rounds", "req/s", "range", "CPU µs/req", "p50 ms", "p99 ms", "server", "client", "wrong"]
    return table(head, rows)


def bars_table(verdicts: Sequence[b.Verdict], rounds: list[r.Round]) -> str:
    rows = []
    for verdict in verdicts:
        bar = verdict.bar
        bound = f"≥ {bar.at_least:g}" if bar.at_least is not None else f"≤ {bar.at_most:g}"
        value = "-"
        if verdict.value is not None:
            value = f"{verdict.value:.3g}" if verdict.value < 100 else f"{verdict.value:.0f}"
        by_cpu = b.by_cpu(verdict, rounds)
        state = "not measured" if verdict.value is None else "met" if verdict.met else "MISSED"
        rows.append([bar.what, bound, value, "" if by_cpu is None else f"{by_cpu:.3g}", state])
    return table(["bar", "bound", "req/s", "by CPU", ""], rows)


def warnings(rounds: list[r.Round]) -> list[str]:
    """What makes a figure doubtful, said beside it."""
    said = []
    limited = {one.series for one in rounds if one.client_busy > CLIENT_BUSY}
    if limited:
        said.append(f"the load generator was busy above {CLIENT_BUSY:.0%} in: {', '.join(sorted(limited))}")
    disturbed = sum(one.others_busy > OTHERS_BUSY for one in rounds)
    if disturbed:
        said.append(
            f"in {disturbed} of {len(rounds)} measurements something else took more than {OTHERS_BUSY:.0%} of the "
            "server's core: trust the CPU columns, or run again on a quiet machine"
        )
    return said


def keep(folder: Path, command: str, told: Mapping[str, Any]) -> dict[str, Any]:
    """Writes `<command>.json`: what a run found, and when and where."""
    folder.mkdir(parents=True, exist_ok=True)
    date = dt.datetime.now(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    kept = {"command": command, "date": date, "machine": machine(), **told}
    (folder / f"{command}.json").write_text(json.dumps(kept, indent=1, ensure_ascii=False) + "\n")
    return kept


def save(
    folder: Path,
    command: str,
    rounds: list[r.Round],
    verdicts: Sequence[b.Verdict],
    more: dict[str, Any],
    kinds: Mapping[str, str],
) -> None:
    """`<command>.json` and `<command>.svg` in `folder`; the last whole run replaces the one before."""
    told = {
        **more,
        "bars": [
            {
                "what": verdict.bar.what,
                "at_least": verdict.bar.at_least,
                "at_most": verdict.bar.at_most,
                "value": verdict.value,
                "by_cpu": b.by_cpu(verdict, rounds),
                "met": verdict.met,
            }
            for verdict in verdicts
        ],
        "rounds": r.as_rows(rounds),
    }
    kept = keep(folder, command, told)
    names = list(dict.fromkeys(one.series for one in rounds))
    if not names:
        return
    drawn = plot.bars(
        f"Requests per second on one core ({kept['machine']['processor']}, {kept['date'][:10]})",
        [(name, [one.requests_per_second for one in r.of(rounds, name)]) for name in names],
        kinds,
    )
    (folder / f"{command}.svg").write_text(drawn)


def finish(
    options: argparse.Namespace,
    command: str,
    rounds: list[r.Round],
    verdicts: Sequence[b.Verdict],
    more: dict[str, Any],
    kinds: Mapping[str, str],
) -> int:
    """Print the bars, keep the run, name what was missed; the exit status of the program."""
    print("\n" + bars_table(verdicts, rounds))
    for warning in warnings(rounds):
        print(f"note: {warning}")
    save(options.results, command, rounds, verdicts, more, kinds)
    print(f"kept in {options.results.relative_to(options.results.parents[1])}/{command}.json and .svg")
    # A run of a part judges what it measured; a whole run has to have measured everything.
    missed = [one for one in verdicts if not one.met and (one.value is not None or options.whole)]
    wrong = sum(one.wrong for one in rounds)
    for one in missed:
        print(f"MISSED: {one.bar.what}")
    if wrong:
        print(f"WRONG: {wrong} answers were not 2xx")
    return 1 if missed or wrong else 0
