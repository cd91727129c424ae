"""Pages that are made from the code or from results are as they are made; what they name is there."""

import json
import re
from pathlib import Path

import pytest

from support import figures, reference
from support.site import DOCS, ROOT

MADE = reference.generated()


@pytest.mark.parametrize("path", MADE, ids=lambda path: path.name)
def test_a_page_that_is_made_is_as_it_is_made(path: Path) -> None:
    assert path.read_text() == MADE[path], "run `make docs ARGS=--write`"


def test_the_rooms_that_are_drawn_are_there() -> None:
    drawn = (DOCS / "architecture.md").read_text().partition("```text\n")[2].partition("```")[0]
    source, *rooms = drawn.splitlines()
    named = [name for line in rooms for name in re.findall(r"^ (\S.*?)  ", line)[0].split(" | ")]
    there = {path.name + "/" * path.is_dir() for path in (ROOT / source).iterdir() if not path.name.startswith("_")}
    assert set(named) == there - {"py.typed"}


def test_items_of_the_asvs_are_told_once_and_with_a_verdict() -> None:
    rows = re.findall(r"^\| (V\d.*?) \| (.*?) \| (.*?) \|$", (DOCS / "asvs.md").read_text(), re.MULTILINE)
    items = [item for cell, *_ in rows for item in re.findall(r"V\d+\.\d+(?:\.\d+)?", cell)]
    assert len(items) == len(set(items))
    assert {verdict for _, verdict, _ in rows} == {"met", "partly", "not met", "yours"}
    assert all(said for _, _, said in rows)


RUN = {
    "date": "2030-01-15T08:00:00Z",
    "machine": {"processor": "A processor", "cores": 2, "kernel": "6", "python": "3.11.7"},
    "rounds": [
        {"series": f"{stream}, {database}", "requests_per_second": rate, "cpu_us": 1e6 / rate}
        for stream in ("unguarded", "guarded, hot", "new tokens among 10,000 keys")
        for database in ("SQLite", "PostgreSQL")
        for rate in (900.0, 1000.0, 5000.0)
    ],
    "memory": {"keys": 1_000_000, "grown_mib": 61.2},
    "login storm": {
        "p99_ms_alone": [1.0, 2.0, 3.0],
        "p99_ms_in_the_storm": [2.5],
        "busy_alone": [0.25],
        "busy_in_the_storm": [0.5],
    },
    "late acceptances, SQLite": {
        "requests": 1_000_000,
        "revocations": 1000,
        "accepted_late": 0,
        "last_ms": [3.0],
        "answer_ms": [4.0, 6.0],
    },
    "bars": [
        {"what": "near", "at_least": 0.9, "at_most": None, "value": 0.8765, "by_cpu": 0.9123, "met": False},
        {"what": "few", "at_least": None, "at_most": 0, "value": 0, "by_cpu": None, "met": True},
        {"what": "far", "at_least": 11, "at_most": None, "value": 123.4, "by_cpu": 120.0, "met": True},
        {"what": "without Node", "at_least": 1.0, "at_most": None, "value": None, "by_cpu": None, "met": False},
    ],
    "storm": {
        part: {"ratio": 4.2, "busy_alone": [0.25], "busy_in_the_storm": [0.5]}
        for part in ("hashes", "refused", "unhashed", "storm")
    },
    "least_us": {"plain": 55.4, "empty": 67.1, "uncounted": 80.2, "guarded": 93.7},
    "loops_us": {"PRAGMA data_version": 3.04},
    "versions": {"authx": "1.6.0"},
    "revocation": [
        {"name": "quick", "same_worker": None, "other_worker": 0.2},
        {"name": "blind", "same_worker": 0.01, "other_worker": 4.998},
    ],
}


def test_figures_come_from_results(tmp_path: Path) -> None:
    for name in ("ours", "peers", "anatomy"):
        (tmp_path / f"{name}.json").write_text(json.dumps(RUN))
    page = "".join(f"<!-- figures: {name} -->\n<!-- end -->\n" for name in sorted(figures.BLOCKS))
    filled = figures.filled(page, tmp_path)
    assert "| no guard | 1,000 | 1,000 | 1,000 | 1,000 |" in filled
    assert "| 10,000 | 1,000 | 1,000 |\n| 10,000,000 | - | - |" in filled
    assert "grown by 61 MiB" in filled
    assert "| and SQLite's look for commits | 94 | 14 |\n" in filled
    assert "PRAGMA data_version 3.0 µs." in filled
    assert "| the whole storm | 4.20 | 25% | 50% |\n" in filled
    for row in (
        "| near | ≥ 0.9 | 0.876 | 0.91 | **no** |",
        "| few | ≤ 0 | 0 |  | yes |",
        "| far | ≥ 11 | 123 | 120.00 | yes |",
        "| without Node | ≥ 1 | - |  | **no** |",
    ):
        assert f"{row}\n" in filled
    assert "was 2.0 ms alone and 2.5 ms while" in filled
    assert "busy for 25% of the time alone and for 50% in the storm." in filled
    assert "| SQLite | 1,000,000 | 1,000 | 0 | 3 ms | 5 ms |" in filled
    assert "| blind | after 10 ms | longer than 5 s |\n" in filled
    assert "| quick | at once | after 200 ms |\n" in filled
    assert figures.filled(filled, tmp_path) == filled


def test_without_results_no_figure_is_quoted(tmp_path: Path) -> None:
    for page in reference.MEASURED:
        filled = figures.filled(page.read_text(), tmp_path)
        told = re.findall(r"<!-- figures: .*? -->\n(.*?)\n<!-- end -->", filled, re.DOTALL)
        assert told
        assert {re.sub(r"`.*?`", "", text) for text in told} == {
            "*No run is kept yet:  makes one on your machine, and  puts it here.*"
        }
