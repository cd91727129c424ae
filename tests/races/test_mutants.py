"""`make mutants` takes lines out; here it is only seen to that they are still there to be taken out."""

import tomllib
from pathlib import Path

_ROOT = Path(__file__).parents[2]


def test_every_line_that_closes_a_race_stands_where_the_table_says() -> None:
    table = tomllib.loads((_ROOT / "tests" / "mutants.toml").read_text())
    edits = [edit for mutant in table["mutant"] for edit in mutant["edits"]]
    assert len(edits) > 40
    assert [e["was"] for e in edits if (_ROOT / e["file"]).read_text().count(e["was"]) != 1] == []
