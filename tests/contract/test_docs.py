"""The documentation against the code: what is missing, obsolete or different fails."""

import itertools
import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
from dotenv import dotenv_values
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from pydantic import SecretStr

from keyhouse import Settings, cli, create_app
from keyhouse.errors import CATALOGUE, VALIDATION, Failure, failure, invalid_field
from keyhouse.http import envelope
from keyhouse.http.cookies import PLAIN_NAME
from keyhouse.tokens.codec import _header_segment
from keyhouse.tokens.keys import Key, generate_pem, key_from_pem, secret_key
from support.commands import Server
from support.fences import environment, run, shown
from support.world import SECRET, World, settings_for

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *DOCS.rglob("*.md")])
# Fixtures of pytest, and a cookie.
NO_METRICS = {"keyhouse_server", "keyhouse_tokens", "keyhouse_scopes", PLAIN_NAME}


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


def rows(page: Path) -> list[list[str]]:
    """The cells of every table row that begins with a code span or a method."""
    found = re.findall(r"^\| *((?:`|[A-Z]{3,} ).*?) *\|$", page.read_text(), re.MULTILINE)
    return [[cell.strip() for cell in row.split("|")] for row in found]


def written(default: Any) -> str:
    """A default as the environment would have it."""
    value = default.get_secret_value() if isinstance(default, SecretStr) else default
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value in {None, ()} else str(value)


def defaults() -> dict[str, str]:
    return {f"KEYHOUSE_{name.upper()}": written(field.default) for name, field in Settings.model_fields.items()}


def test_configuration_has_each_setting_with_its_default() -> None:
    documented = {
        setting.strip("`"): "" if default == "none" else default.strip("`")
        for setting, default, _ in rows(DOCS / "configuration.md")
    }
    assert documented == defaults()


def test_env_example_has_each_setting_with_its_default_and_a_line() -> None:
    lines = (ROOT / ".env.example").read_text().splitlines()
    assert dict(dotenv_values(ROOT / ".env.example")) == defaults()
    for before, line in itertools.pairwise(lines):
        assert not line.startswith("KEYHOUSE_") or before.startswith("# "), line


def test_env_example_is_taken_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in defaults():
        monkeypatch.delenv(name, raising=False)
    copied = tmp_path / ".env"
    copied.write_text((ROOT / ".env.example").read_text().replace("SECRET_KEY=\n", f"SECRET_KEY={SECRET}\n"))
    plain: Any = {"secret_key": SECRET}
    assert Settings(_env_file=copied) == Settings(_env_file=None, **plain)


def sections() -> dict[str, str]:
    found = re.split(r"^## `(\w+)`$", (DOCS / "errors.md").read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


def test_errors_has_a_section_for_each_code_and_no_other() -> None:
    assert list(sections()) == [*CATALOGUE, *VALIDATION]


@pytest.mark.parametrize("code", [*CATALOGUE, *VALIDATION])
def test_a_section_tells_status_type_and_text_as_they_are_answered(code: str) -> None:
    failed: Failure = failure(code) if code in CATALOGUE else invalid_field("name", code=code)
    answered = json.loads(envelope.body(failed))
    head, rest = sections()[code].strip().split("\n", 1)
    assert head == f'{failed.status}, `{answered["type"]}`: "{answered["errors"][0]["detail"]}"'
    assert rest.strip()


def commands() -> Iterator[tuple[str, Any]]:
    """Every command of the program by its name."""
    pending = [("keyhouse", typer.main.get_command(cli.app))]
    while pending:
        name, command = pending.pop()
        yield name, command
        pending += [(f"{name} {word}", made) for word, made in getattr(command, "commands", {}).items()]


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_commands_that_are_spoken_of_exist(page: Path) -> None:
    """With their options."""
    known = dict(commands())
    text = page.read_text().replace("\\\n", " ")
    for spoken, rest in re.findall(r"(?:^ *|[`({]|\| )(keyhouse(?: [a-z][a-z-]*)+)([^`\n|]*)", text, re.MULTILINE):
        words = spoken
        while words not in known:
            words = words.rpartition(" ")[0]
        # What follows a command that has none below it is its argument.
        assert words == spoken or not hasattr(known[words], "commands"), spoken
        options = {option for taken in known[words].params for option in taken.opts} | {"--help"}
        assert set(re.findall(r"(?<= )--[a-z-]+", rest)) <= options, f"{spoken}{rest}"


def routes_of(app: FastAPI) -> set[tuple[str, str]]:
    return {
        (method, route.path)
        for route in iter_route_contexts(app.routes)
        if route.path is not None
        for method in route.methods or ()
        if method != "HEAD"
    }


def test_routes_lists_each_route_and_no_other(sqlite_url: str) -> None:
    documented = [(method, path.strip("`")) for method, path, *_ in rows(DOCS / "routes.md")]
    assert len(documented) == len(set(documented))
    assert set(documented) == routes_of(create_app(settings_for(sqlite_url)))


async def test_metrics_that_are_spoken_of_exist(world: World) -> None:
    await world.request("GET", f"{world.base}/datasets/")
    there = (await world.request("GET", "/metrics")).text
    for page in PAGES:
        for metric in re.findall(r"`(keyhouse_[a-z_]+)`", page.read_text()):
            assert metric in NO_METRICS or f"\n{metric}" in there, name_of(page)


@pytest.mark.parametrize("algorithm", ["HS256", "EdDSA", "ES256", "RS256"])
def test_the_rule_for_secret_scanners_finds_our_tokens(algorithm: Any) -> None:
    text = (DOCS / "security.md").read_text()
    key: Key = secret_key(SECRET) if algorithm == "HS256" else key_from_pem(generate_pem(algorithm).encode())
    prefix = re.search(rf"^\| {algorithm} \| `(\w+)` \|$", text, re.MULTILINE)
    rule = re.search(r"^eyJ.*$", text, re.MULTILINE)
    assert prefix is not None
    assert rule is not None
    assert _header_segment(key).startswith(prefix[1])
    assert re.fullmatch(rule[0], f"{_header_segment(key)}.e30.c2ln")


@pytest.fixture
def dev(tmp_path: Path) -> Iterator[dict[str, str]]:
    """`keyhouse dev` as `make dev` starts it, in a folder of its own."""
    server = Server(tmp_path, "dev", "--port", "0", "--json", env={})
    try:
        yield json.loads(server.line(server.out))
    finally:
        server.kill()


def test_the_walk_of_the_readme(dev: dict[str, str], tmp_path: Path) -> None:
    """Contract sections 2, 3 and 7."""
    script = "\n".join(shown("README.md", under="The whole walk"))
    assert "http://127.0.0.1:8000" in script
    script = script.replace("http://127.0.0.1:8000", dev["base_url"])
    datasets, deleted, refusal, status = run(script, tmp_path, environment()).splitlines()
    assert json.loads(datasets)["results"]
    assert (deleted, status) == ("204", "401")
    assert refusal in (ROOT / "README.md").read_text().splitlines()


APPLICATIONS = [*shown("README.md", "python"), *shown("contract.md", "python")]
ENVELOPES = [
    text for page in ("README.md", "contract.md", "errors.md", "guard-your-api.md") for text in shown(page, "json")
]


@pytest.mark.parametrize("snippet", APPLICATIONS)
async def test_snippets_start(snippet: str, sqlite_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Contract section 8: what is shown is an application that comes up, with the routes that it shows."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYHOUSE_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("KEYHOUSE_SECRET_KEY", SECRET)
    made: dict[str, Any] = {}
    exec(compile(snippet, "snippet", "exec"), made)  # noqa: S102 - that is the test
    app: FastAPI = made["app"]
    async with app.router.lifespan_context(app):
        there = {path for _, path in routes_of(app)}
    assert "/api/v1/auth/token/" in there
    assert "/api/v1/companies/{company_id}/reports/" in there


@pytest.mark.parametrize("answer", ENVELOPES)
def test_error_answers_are_shown_byte_for_byte(answer: str) -> None:
    code = json.loads(answer)["errors"][0]["code"]
    failed = failure(code) if code in CATALOGUE else invalid_field("name", code=code)
    assert envelope.body(failed).decode() == answer.strip()


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_links_lead_somewhere(page: Path) -> None:
    text = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.DOTALL | re.MULTILINE)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        path, _, anchor = target.partition("#")
        if "://" in path:
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{target} leads nowhere"
        assert found.is_relative_to(ROOT), f"{target} leads out of the repository"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", found.read_text(), re.MULTILINE)
            assert anchor in {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


def test_each_page_is_led_to() -> None:
    linked = {
        (page.parent / target.partition("#")[0]).resolve()
        for page in PAGES
        for target in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if "://" not in target
    }
    assert [name_of(page) for page in PAGES if page.name != "README.md" and page not in linked] == []


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_nothing_is_left_to_be_written(page: Path) -> None:
    left = re.findall(r"\b(?:TODO|TBD|FIXME|XXX|lorem|placeholder|coming soon)\b", page.read_text(), re.IGNORECASE)
    assert left == []
    assert "\t" not in page.read_text()
