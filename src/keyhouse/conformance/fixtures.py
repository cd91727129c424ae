"""What the checks share, so that few keys are made and fewer log-ins."""

from typing import Any

import pytest

from keyhouse.conformance.api import AUTH, Api

API = pytest.StashKey[Api]()
Key = dict[str, Any]


@pytest.fixture(scope="session")
def api(request: pytest.FixtureRequest) -> Api:
    return request.config.stash[API]


@pytest.fixture
def access(api: Api) -> str:
    """An access token that lives."""
    return api.access


@pytest.fixture(scope="session")
def key(api: Api) -> Key:
    """An API key with every resource scope. No check may end it."""
    return api.new_key()


@pytest.fixture(scope="session")
def reader(api: Api) -> Key:
    """An API key that may read datasets and nothing else."""
    return api.new_key(scopes=["datasets:read"])


@pytest.fixture(scope="session")
def manager(api: Api) -> Key:
    """An API key that may read the company's keys and rotate itself, and nothing else."""
    return api.new_key(scopes=["api_keys:read", "api_keys:rotate"])


@pytest.fixture(scope="session")
def dead(api: Api) -> Key:
    """An API key that was revoked, with all that it could do before."""
    made = api.new_key()
    api.send("DELETE", f"{api.api_keys}{made['id']}/", token=api.access)
    return made


@pytest.fixture(scope="session")
def is_admin(api: Api) -> bool:
    """Whether the user is an admin of the company."""
    companies = api.send("GET", f"{AUTH}/me/", token=api.access).get("companies")
    return any(company.get("id") == api.target.company_id and company.get("role") == "admin" for company in companies)


@pytest.fixture(scope="session")
def dataset(api: Api) -> dict[str, Any]:
    """A dataset. No check may change it."""
    answer = api.send("POST", api.datasets, token=api.access, json={"name": "Conformance"})
    answer.get("id")
    return dict(answer.json())
