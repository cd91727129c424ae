"""Every block of code in the README and in `docs/` is run, or held to what is so, by a test that is named here."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.fences import FENCE, PAGES, Block, blocks
from support.site import ROOT

CONTRACT = "tests/contract/test_docs.py"
STARTS = f"{CONTRACT}::test_snippets_start"
ENVELOPES = f"{CONTRACT}::test_error_answers_are_shown_byte_for_byte"
REPORTS = "tests/docs/test_testing.py"
FIRST = "tests/docs/test_first_steps.py"
GUARD = "tests/docs/test_guard.py"
RUNNING = "tests/docs/test_production.py"
TESTING = "tests/conformance/test_docs_testing.py"
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


@dataclass(frozen=True)
class Claim:
    """Which blocks a test takes: those of a page, or those under one of its headings, in one language, or in any."""

    page: str
    language: str
    by: str
    heading: str | None = None

    def takes(self, block: Block) -> bool:
        return (
            self.page == block.page and self.language in {"", block.language} and self.heading in {None, block.heading}
        )


CLAIMS = (
    Claim("README.md", "sh", f"{FIRST}::test_the_readme_s_first_lines", heading=""),
    Claim("README.md", "sh", f"{CONTRACT}::test_the_walk_of_the_readme", heading="The whole walk"),
    Claim("README.md", "json", ENVELOPES),
    Claim("README.md", "python", STARTS),
    Claim("docs/architecture.md", "text", "tests/docs/test_reference.py::test_the_rooms_that_are_drawn_are_there"),
    Claim("docs/contract.md", "json", ENVELOPES),
    Claim("docs/contract.md", "python", STARTS),
    Claim("docs/errors.md", "json", ENVELOPES),
    Claim("docs/getting-started.md", "sh", f"{FIRST}::test_make_dev", heading="1. Start a server"),
    Claim("docs/getting-started.md", "text", f"{FIRST}::test_the_first_key", heading="2. Make a key"),
    Claim("docs/getting-started.md", "sh", f"{FIRST}::test_the_first_key", heading="3. Use it"),
    Claim("docs/getting-started.md", "python", f"{FIRST}::test_the_first_key"),
    Claim("docs/getting-started.md", "sh", f"{FIRST}::test_the_first_key", heading="Where to go from here"),
    Claim("docs/guard-your-api.md", "json", ENVELOPES),
    Claim("docs/guard-your-api.md", "python", f"{GUARD}::test_the_tests_of_the_page_pass"),
    Claim("docs/guard-your-api.md", "sh", f"{GUARD}::test_the_walk", heading="Try it"),
    Claim("docs/guard-your-api.md", "sh", f"{GUARD}::test_the_tests_of_the_page_pass", heading="Test it"),
    Claim("docs/production.md", "sh", f"{RUNNING}::test_from_nothing_to_a_server"),
    Claim("docs/security.md", "text", f"{CONTRACT}::test_the_rule_for_secret_scanners_finds_our_tokens"),
    Claim("docs/testing.md", "python", f"{TESTING}::test_the_files_are_a_project_whose_tests_pass"),
    Claim("docs/testing.md", "sh", f"{TESTING}::test_the_commands_run", heading="Check a server"),
    Claim("docs/testing.md", "text", f"{REPORTS}::test_a_failure_is_told_as_shown", "Check a server"),
    Claim("docs/testing.md", "text", f"{REPORTS}::test_an_expiry_is_told_as_shown", "A key that ends soon"),
    Claim("docs/testing.md", "yaml", f"{REPORTS}::test_ci_runs_what_there_is"),
    Claim("docs/upgrading.md", "sh", f"{RUNNING}::test_an_upgrade", heading="The steps"),
    Claim("docs/upgrading.md", "sh", f"{RUNNING}::test_a_backup_of_sqlite", heading="Backup and restore"),
    Claim("docs/upgrading.md", "sh", f"{RUNNING}::test_a_new_signing_key", heading="A new signing key"),
    # Pages with tests of their own, which hold themselves to every block.
    Claim("docs/forward-auth.md", "", "tests/proxy/test_page.py::test_every_block_is_spoken_for"),
    Claim("docs/verify-elsewhere.md", "", "tests/elsewhere/"),
    Claim("docs/clients.md", "", "tests/elsewhere/"),
)
EVERY = [block for page in PAGES for block in blocks(page)]
# Nothing but an installation: `test_what_pip_installs_can_be_installed` is about these.
INSTALLS = re.compile(r"(pip install \S+\n)+")
# Targets that a page may speak of and no test runs: they are the suite, install or fetch, or measure for minutes.
APART = {"test", "check", "bench", "bench-peers", "soak", "mutants", "screenshots", "lock", "docs", "dev"}


@pytest.mark.parametrize("block", EVERY, ids=str)
def test_every_block_is_spoken_for(block: Block) -> None:
    assert block.language, "a block says what it is written in"
    assert INSTALLS.fullmatch(block.text) or any(claim.takes(block) for claim in CLAIMS)


@pytest.mark.parametrize("claim", CLAIMS, ids=lambda claim: f"{claim.page}-{claim.language}-{claim.heading}")
def test_every_claim_is_one(claim: Claim) -> None:
    assert any(claim.takes(block) for block in EVERY), "nothing is claimed"
    file, _, test = claim.by.partition("::")
    path = ROOT / file
    if path.is_dir():
        name = claim.page.rpartition("/")[2]
        assert any(name in test.read_text() for test in path.glob("*.py")), f"no test of {file} reads {name}"
    else:
        assert re.search(rf"^(?:async )?def {test}\(", path.read_text(), re.MULTILINE), claim.by


def test_what_pip_installs_can_be_installed() -> None:
    for page in PAGES:
        for name, extras in re.findall(r"pip install '?([\w.-]+)(?:\[([\w,]+)\])?'?", page.read_text()):
            if name == PROJECT["name"]:
                assert set(filter(None, extras.split(","))) <= set(PROJECT["optional-dependencies"]), page.name


def targets() -> Iterator[str]:
    yield from re.findall(r"^([a-z-]+):.*##", (ROOT / "Makefile").read_text(), re.MULTILINE)


def test_targets_of_make_that_are_spoken_of_exist() -> None:
    spoken = {word for page in PAGES for word in re.findall(r"`make\s([a-z-]+)", page.read_text())}
    assert spoken <= set(targets())
    assert spoken <= APART, "a target of this kind is to be run by a test"


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_code_hides(page: Path) -> None:
    """A block by its indent says no language, and one that is never closed is none: nobody would run them."""
    text = FENCE.sub("", page.read_text())
    assert "```" not in text
    assert re.findall(r"\n\n {4,}(?![-*] |\d+\. )\S.*", text) == []
