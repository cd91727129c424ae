"""`keyhouse conformance` against a server in a process of its own."""

import json
import re
import subprocess
import sys
import xml.etree.ElementTree as ET
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from support.commands import PROGRAM
from support.projects import without_ours


@dataclass(frozen=True)
class Conformed:
    """How a run ended, what it printed, and what became of each check by its id: `guard.check_scope`.

    `told` is what is said of each that failed.
    """

    status: int
    out: str
    err: str
    outcomes: Mapping[str, str]
    told: Mapping[str, str]

    def of(self, outcome: str) -> set[str]:
        return {check for check, found in self.outcomes.items() if found == outcome}

    def matching(self, patterns: Iterable[str]) -> set[str]:
        """The checks of these ids that were made; a star stands for any text. Each pattern has some."""
        found: set[str] = set()
        for pattern in patterns:
            expression = re.escape(pattern).replace(r"\*", ".*")
            some = {check for check in self.of("passed") | self.of("failed") if re.fullmatch(expression, check)}
            assert some, f"{pattern} is no check"
            found |= some
        return found


def arguments(server: Mapping[str, Any]) -> list[str]:
    """The options for a server, from what it told when it started."""
    names = {"--url": "base_url", "--company": "company_id", "--email": "email", "--password": "password"}
    return [part for option, name in names.items() for part in (option, str(server[name]))]


def conform(
    server: Mapping[str, Any],
    folder: Path,
    *options: str,
    command: Sequence[str] = (str(PROGRAM), "conformance"),
    environment: Mapping[str, str] | None = None,
) -> Conformed:
    """One run, started in this folder."""
    report = folder / "conformance.xml"
    done = subprocess.run(
        [*command, *arguments(server), "--junit-xml", str(report), *options],
        cwd=folder,
        env={**without_ours(), **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
    )
    outcomes, told = {}, {}
    for case in ET.parse(report).iter("testcase") if report.exists() else ():  # noqa: S314 - we wrote it
        check = f"{case.get('classname', '').removeprefix('checks.')}.{case.get('name')}"
        kinds = {child.tag: child for child in case}
        failed = kinds.get("failure", kinds.get("error"))
        outcomes[check] = "failed" if failed is not None else "skipped" if "skipped" in kinds else "passed"
        if failed is not None:
            told[check] = failed.text or ""
    return Conformed(done.returncode, done.stdout, done.stderr, outcomes, told)


@contextmanager
def serving(program: Path, environment: Mapping[str, str] | None = None) -> Iterator[dict[str, Any]]:
    """A server that reads a line of JSON, tells one once it serves, and ends with its standard input."""
    with subprocess.Popen(
        [sys.executable, str(program)],
        stderr=subprocess.DEVNULL,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**without_ours(), **(environment or {})},
        text=True,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            process.stdin.write('{"scopes": {}}\n')
            process.stdin.flush()
            yield json.loads(process.stdout.readline())
        finally:
            process.stdin.close()
