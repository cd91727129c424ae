"""What is installed: the wheel, its declared dependencies, and the locks."""

import ast
import asyncio
import json
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterable, Iterator
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from keyhouse.db import Database, migrations
from support.postgres import Postgres
from support.world import SECRET

ROOT = Path(__file__).parents[2]
SOURCE = ROOT / "src"
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
EXTRAS: dict[str, list[str]] = PROJECT["project"]["optional-dependencies"]
RUNNING, DEVELOPING = ROOT / "requirements.lock", ROOT / "requirements-dev.lock"


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)],
        cwd=ROOT,
        check=True,
        capture_output=True,
    )
    return next(folder.glob("*.whl"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder to put on the path, far from the checkout."""
    folder = tmp_path_factory.mktemp("installed")
    zipfile.ZipFile(wheel).extractall(folder)
    return folder


def files_of(folder: Path) -> set[str]:
    """What belongs to the package: all that Git would take."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", "."],
        cwd=folder,
        check=True,
        capture_output=True,
        text=True,
    )
    return {name for name in listed.stdout.split("\n") if name and (folder / name).exists()}


def test_the_wheel_has_the_source_the_migrations_and_the_licence(wheel: Path) -> None:
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    migrations_of = {f"keyhouse/migrations/{name}" for name in files_of(ROOT / "alembic")}
    assert names == files_of(SOURCE) | migrations_of
    assert {"keyhouse/py.typed", "keyhouse/http/docs_assets/swagger-ui/LICENSE"} <= names
    assert any(name.endswith(".dist-info/licenses/LICENSE") for name in zipfile.ZipFile(wheel).namelist())


def run(installed: Path, *arguments: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """The command of the installed wheel, with this environment's other packages."""
    program = "import sys; from keyhouse.cli import main; sys.exit(main())"
    return subprocess.run(
        [sys.executable, "-c", program, *arguments],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installed), **environment},
        capture_output=True,
        text=True,
        check=False,
    )


async def revision(url: str) -> str | None:
    database = Database(url)
    try:
        return await migrations.current(database)
    finally:
        await database.close()


def test_migrate_works_from_the_wheel_outside_a_checkout(
    installed: Path, tmp_path: Path, postgres: Postgres, postgresql_url: str
) -> None:
    server, _, name = postgresql_url.rpartition("/")
    postgres.sql(f"CREATE DATABASE {name}_empty")
    for url in (f"sqlite:///{tmp_path}/keyhouse.db", f"{server}/{name}_empty"):
        done = run(installed, "migrate", cwd=tmp_path, KEYHOUSE_DATABASE_URL=url, KEYHOUSE_SECRET_KEY=SECRET)
        assert (done.returncode, done.stderr) == (0, "")
        assert asyncio.run(revision(url)) == migrations.head()
    postgres.sql(f"DROP DATABASE {name}_empty WITH (FORCE)")


def test_openapi_works_from_the_wheel_without_a_word_of_configuration(installed: Path, tmp_path: Path) -> None:
    done = run(installed, "openapi", cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert "/api/v1/auth/token/" in json.loads(done.stdout)["paths"]
    assert list(tmp_path.iterdir()) == []


def test_the_installed_wheel_does_not_import_the_checkout(installed: Path, tmp_path: Path) -> None:
    found = subprocess.run(
        [sys.executable, "-c", "import keyhouse; print(keyhouse.__file__)"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(installed)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert Path(found.stdout.strip()).is_relative_to(installed)


def imported(files: Iterable[Path]) -> Iterator[str]:
    for file in files:
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)
            elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]


def declared(*lists: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(item).name) for items in lists for item in items}


def test_what_is_imported_is_declared() -> None:
    """By the package itself, or by the extra whose room it is."""
    distributions = packages_distributions()
    base = PROJECT["project"]["dependencies"]
    of_pytest = {SOURCE / "keyhouse" / room for room in ("testing", "conformance")}
    for file in (SOURCE / "keyhouse").rglob("*.py"):
        allowed = declared(base, EXTRAS["postgres"] if file.name == "postgresql_view.py" else [])
        if of_pytest.intersection(file.parents):
            allowed |= declared(EXTRAS["pytest"])
        allowed.add("pydantic-core")  # pydantic pins its exact release
        for module in set(imported([file])) - {"keyhouse"} - sys.stdlib_module_names:
            named = {canonicalize_name(name) for name in distributions[module]}
            assert named & allowed, f"{file.relative_to(ROOT)} imports {module}"


def locked(lock: Path) -> dict[str, set[str]]:
    """Each package with its versions: there may be several, for several Pythons or platforms."""
    found: dict[str, set[str]] = {}
    for name, version in re.findall(r"^([a-zA-Z0-9._-]+)(?:\[[^]]*\])?==([^\s;\\]+)", lock.read_text(), re.MULTILINE):
        found.setdefault(canonicalize_name(name), set()).add(version)
    return found


def group(name: str) -> list[str]:
    groups = PROJECT["dependency-groups"]
    return [
        requirement
        for item in groups[name]
        for requirement in (group(item["include-group"]) if isinstance(item, dict) else [item])
    ]


def asked(*, developing: bool) -> list[str]:
    extras = EXTRAS.values() if developing else (EXTRAS["postgres"], EXTRAS["redis"])
    return [
        *PROJECT["project"]["dependencies"],
        *(item for extra in extras for item in extra),
        *group("dev" if developing else "build"),
    ]


@pytest.mark.parametrize("lock", [RUNNING, DEVELOPING], ids=lambda lock: lock.name)
def test_a_lock_has_what_pyproject_asks_for(lock: Path) -> None:
    """If this fails: `make lock`."""
    there = locked(lock)
    for item in asked(developing=lock == DEVELOPING):
        requirement = Requirement(item)
        versions = there.get(canonicalize_name(requirement.name), set())
        assert versions, f"{item} is missing"
        assert all(requirement.specifier.contains(version) for version in versions), item


@pytest.mark.parametrize("lock", [RUNNING, DEVELOPING], ids=lambda lock: lock.name)
def test_a_lock_is_hashed_and_names_no_host(lock: Path) -> None:
    text = lock.read_text()
    entries = re.split(r"^(?=[a-zA-Z0-9])", text, flags=re.MULTILINE)[1:]
    assert len(entries) >= len(locked(lock))
    assert [entry.split()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert re.findall(r"://|--(?:index|extra-index|find-links|trusted-host)\S*", text) == []


@pytest.mark.parametrize("lock", [RUNNING, DEVELOPING], ids=lambda lock: lock.name)
def test_a_lock_names_extras(lock: Path) -> None:
    """Without them, pip before 24 takes the newest release of such a package and then misses its hash."""
    text = lock.read_text()
    for item in asked(developing=lock == DEVELOPING):
        requirement = Requirement(item)
        if requirement.extras:
            line = f"{canonicalize_name(requirement.name)}[{','.join(sorted(requirement.extras))}]=="
            assert f"\n{line}" in text, item


def test_both_locks_have_the_same_versions() -> None:
    developing = locked(DEVELOPING)
    assert {name: developing.get(name) for name in locked(RUNNING)} == locked(RUNNING)


def test_the_changelog_tells_of_this_version() -> None:
    assert f"## {PROJECT['project']['version']}" in (ROOT / "CHANGELOG.md").read_text()
