"""docs/clients.md: a client that somebody else's generator makes of `/openapi.json` has every operation, and works."""

import importlib
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from keyhouse.testing import KeyhouseServer
from support.snippets import Page, run

PAGE = Page("clients.md")
NAME = "keyhouse_client"


@pytest.fixture(scope="module")
def folder(keyhouse_server: KeyhouseServer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Holds the package that the page's command made. A warning of the generator leaves an operation out."""
    made = PAGE.write(tmp_path_factory.mktemp("generated"), keyhouse_server.base_url)
    done = run("sh", "-eu", "generate.sh", folder=made)
    assert (done.returncode, done.stdout.strip(), done.stderr) == (0, f"Generating {NAME}", "")
    return made


@pytest.fixture
def client(folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The package, imported; its modules are imported by name."""
    monkeypatch.syspath_prepend(folder)
    yield importlib.import_module(NAME)
    for name in [name for name in sys.modules if name.split(".")[0] == NAME]:
        del sys.modules[name]


def operation(name: str) -> Any:
    """As `auth.me`: the tag, and the name that the operation has in our source."""
    return importlib.import_module(f"{NAME}.api.{name}")


def test_every_operation_is_generated_under_its_name(folder: Path, keyhouse_server: KeyhouseServer) -> None:
    document = httpx.get(f"{keyhouse_server.base_url}/openapi.json").json()
    described = {
        f"{operation['tags'][0].replace(' ', '_')}/{operation['operationId']}.py"
        for item in document["paths"].values()
        for operation in item.values()
    }
    api = folder / NAME / "api"
    generated = {str(file.relative_to(api)) for file in api.glob("*/*.py") if file.name != "__init__.py"}
    assert generated == described
    assert {"auth/create_token.py", "api_keys/create_api_key.py", "datasets/list_datasets.py"} <= generated


@pytest.mark.usefixtures("client")
def test_no_body_and_no_answer_is_anything_at_all(folder: Path) -> None:
    for file in (folder / NAME / "api").glob("*/*.py"):
        if file.name == "__init__.py":
            continue
        signature = inspect.signature(operation(f"{file.parent.name}.{file.stem}").sync_detailed, eval_str=True)
        body = signature.parameters.get("body")
        assert body is None or body.annotation is not Any, file.name
        assert "ErrorEnvelope" in str(signature.return_annotation), file.name


def test_first_steps(folder: Path, keyhouse_server: KeyhouseServer) -> None:
    server = keyhouse_server
    datasets = f"{server.base_url}/api/v1/companies/{server.company_id}/datasets/"
    headers = {"Authorization": f"Bearer {server.api_key}"}
    assert httpx.post(datasets, json={"name": "Generated"}, headers=headers).status_code == 201
    environment = {"COMPANY_ID": server.company_id, "EMAIL": server.email, "PASSWORD": server.password}
    program = ("python", "-W", "error", "first_steps_generated.py")
    done = run(*program, folder=folder, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    listed = httpx.get(datasets, headers=headers).json()["results"]
    assert done.stdout.splitlines() == [dataset["name"] for dataset in listed]
    refused = run(*program, folder=folder, **{**environment, "PASSWORD": "not the one, by far"})
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == "Incorrect authentication credentials.\n"


def test_errors_are_models_too(client: Any, keyhouse_server: KeyhouseServer) -> None:
    server = keyhouse_server
    models = importlib.import_module(f"{NAME}.models")
    with client.AuthenticatedClient(server.base_url, server.api_key) as live:
        wrong = operation("datasets.create_dataset").sync_detailed(
            server.company_id, client=live, body=models.DatasetCreation(name=" ")
        )
        lacking = operation("companies.list_audit_events").sync(server.company_id, client=live)
    with client.AuthenticatedClient(server.base_url, server.token("revoked")) as dead:
        refused = operation("auth.me").sync_detailed(client=dead)
    for answer in (wrong.parsed, lacking, refused.parsed):
        assert isinstance(answer, models.ErrorEnvelope)
    assert (wrong.status_code, wrong.parsed.type_) == (400, "validation_error")
    assert [(error.code, error.attr) for error in wrong.parsed.errors] == [("blank", "name")]
    assert lacking.errors[0].extra.to_dict() == {"required_scopes": ["audit:read"]}
    assert (refused.status_code, refused.parsed.errors[0].code) == (401, "invalid_token")


async def test_its_coroutines_work_as_well(client: Any, keyhouse_server: KeyhouseServer) -> None:
    server = keyhouse_server
    async with client.AuthenticatedClient(server.base_url, server.api_key) as authenticated:
        told = await operation("auth.me").asyncio(client=authenticated)
    assert told.credential.company_id == server.company_id
