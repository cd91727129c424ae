"""`docs/guard-your-api.md`: the application, its five lines, its walk and its tests."""

import json
from pathlib import Path

import pytest

from support.commands import PROGRAM
from support.fences import environment, files, run, shown
from support.projects import Project

PAGE = "guard-your-api.md"


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(tmp_path)
    for name, text in files(PAGE).items():
        made.write(name, text)
    return made


def test_five_lines_put_the_guard_on_it() -> None:
    before, after = (files(PAGE)[name].splitlines() for name in ("before.py", "app.py"))
    route = next(number for number, line in enumerate(after) if line.startswith("@app"))
    assert len([line for line in after[:route] if line and line not in before]) == 5


def test_an_expired_token_is_tested_in_three_lines() -> None:
    first = files(PAGE)["test_app.py"].strip().split("\n\n")[0]
    assert "expired()" in first
    assert len(first.splitlines()) == 3


def test_the_tests_of_the_page_pass(project: Project) -> None:
    (command,) = shown(PAGE, under="Test it")
    assert command.split() == ["python", "-m", "pytest"]
    ran = project.pytest_alone("-p", "no:cacheprovider", "-W", "ignore")
    assert ran.status == 0, ran.out
    assert ran.closing() == "3 passed"


def test_the_walk(project: Project, port: int) -> None:
    """Its second terminal begins when the server of the first one answers."""
    setting_up, serve, use = shown(PAGE, under="Try it")
    assert serve == "uvicorn app:app --port 8000\n"
    address = f"http://127.0.0.1:{port}"
    (project.folder / "uvicorn.log").touch()
    script = "\n".join(
        [
            # Only what is shown counts, not what the commands say meanwhile.
            f"{{ {setting_up} }} > /dev/null",
            f"{PROGRAM.with_name('uvicorn')} app:app --port {port} > uvicorn.log 2>&1 &",
            "trap 'kill $!' EXIT",
            f"until curl --silent --output /dev/null {address}/healthz; do sleep 0.1; done",
            use.replace("http://127.0.0.1:8000", address),
        ]
    )
    invoices, refusal = run(script, project.folder, environment()).splitlines()
    (invoice,) = json.loads(invoices)
    assert invoice.startswith("an invoice of ")
    (shown_refusal,) = shown(PAGE, "json")
    assert refusal == shown_refusal.strip()
