"""The page on testing: its files are a project whose tests pass, its commands run, its options exist."""

import re
import subprocess
from pathlib import Path

import pytest

from keyhouse.testing import KeyhouseServer, KeyhouseTokens
from support.commands import PROGRAM
from support.projects import Project, without_ours

PAGE = (Path(__file__).parents[2] / "docs" / "testing.md").read_text()
FILES = dict(re.findall(r'^```python title="(\S+)"\n(.*?)^```$', PAGE, re.DOTALL | re.MULTILINE))


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    for name, text in FILES.items():
        made.write(name, text)
    made.write("pytest.ini", "[pytest]\nasyncio_default_fixture_loop_scope = function\n")
    return made


def test_the_files_are_a_project_whose_tests_pass(project: Project) -> None:
    ran = project.pytest("-p", "no:cacheprovider", "-W", "ignore")
    assert ran.status == 0, ran.out
    assert ran.closing() == f"{len(re.findall(r' def test_|^(?:async )?def test_', PAGE, re.MULTILINE)) + 3} passed"


def test_the_commands_run(tmp_path: Path) -> None:
    script = PAGE.partition("## Check a server")[2].partition("```sh\n")[2].partition("```")[0]
    assert "keyhouse conformance" in script
    environment = without_ours()
    environment["PATH"] = f"{PROGRAM.parent}:{environment['PATH']}"
    done = subprocess.run(
        ["sh", "-eu", "-c", f"trap 'kill $!' EXIT\n{script}"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert ", 0 failed, " in done.stdout.splitlines()[-1]
    assert (tmp_path / "conformance.xml").exists()


def test_the_options_exist() -> None:
    help_ = subprocess.run([PROGRAM, "conformance", "--help"], capture_output=True, text=True, check=True).stdout
    there = set(re.findall(r"--[a-z-]+", help_)) - {"--help"}
    for command in re.findall(r"keyhouse conformance (--.*?)(?:\n\n|```|\n {2}\w+:)", PAGE, re.DOTALL):
        assert set(re.findall(r"--[a-z-]+", command)) <= there
    assert there <= set(re.findall(r"--[a-z-]+", PAGE))


def rows(heading: str) -> set[str]:
    table = PAGE.partition(heading)[2].partition("\n\n")[2].partition("\n\n")[0]
    return {name for cell in re.findall(r"^\| (`.*?) \|", table, re.MULTILINE) for name in re.findall(r"`(\w+)", cell)}


def test_every_attribute_and_every_token_is_told_of() -> None:
    attributes = {name for name in KeyhouseServer.__dataclass_fields__ if not name.startswith("_")}
    assert rows("It has") == attributes | {"settings"}
    kinds = {name for name in vars(KeyhouseTokens) if not name.startswith("_")}
    assert rows("`keyhouse_tokens` makes a fresh token") == kinds
