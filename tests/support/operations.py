"""Every operation of the API, and what it answers to whom. A route that is not listed here fails the tests."""

from dataclasses import dataclass, field
from typing import Any, Literal

from fastapi import FastAPI

from keyhouse.http.paths import RouteTable

COMPANY = "/api/v1/companies/{company_id}"
KEYS = f"{COMPANY}/api-keys/"
KEY = f"{KEYS}{{key_id}}/"
DATASETS = f"{COMPANY}/datasets/"
DATASET = f"{DATASETS}{{dataset_id}}/"
AUTH = "/api/v1/auth"


@dataclass(frozen=True, slots=True)
class Operation:
    """`who` may call it, with which `scope`. `body` is taken, `bad` (a body, or a query) is 400.

    `statuses` are what an admin's and a member's access token, an API key of an admin with every scope and one that may
    only read datasets get, in their own company and on what the admin made.
    """

    method: str
    path: str
    statuses: tuple[int, int, int, int]
    who: Literal["anyone", "any token", "access token", "API key"] = "any token"
    scope: str | None = None
    body: dict[str, Any] | None = None
    bad: dict[str, Any] | str | None = None
    form: bool = False
    attr: str = field(default="", kw_only=True)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"

    @property
    def in_company(self) -> bool:
        return "{company_id}" in self.path

    @property
    def item(self) -> Literal["key_id", "dataset_id"] | None:
        """The parameter that names one thing of the company."""
        return "key_id" if "{key_id}" in self.path else "dataset_id" if "{dataset_id}" in self.path else None

    def content(self, body: dict[str, Any] | None) -> dict[str, Any]:
        """A body as httpx takes it."""
        return {} if body is None else {"data" if self.form else "json": body}


_NAME = {"name": "New"}
_BLANK = {"name": " "}
_LIMIT = "limit=0"
OPERATIONS = (
    Operation(
        "POST",
        f"{AUTH}/token/",
        (401, 401, 401, 401),
        "anyone",
        body={"email": "nobody@example.com", "password": "x"},
        bad={"email": "nobody", "password": "x"},
        attr="email",
    ),
    Operation(
        "POST",
        f"{AUTH}/token/refresh/",
        (401, 401, 401, 401),
        "anyone",
        body={"refresh_token": "khr_x"},
        bad={"refresh_token": 1},
        attr="refresh_token",
    ),
    Operation("POST", f"{AUTH}/logout/", (204, 204, 403, 403), "access token"),
    Operation(
        "POST",
        f"{AUTH}/password/",
        (400, 400, 403, 403),
        "access token",
        body={"current_password": "not the one", "new_password": "fifteen or more of them"},
        bad={"current_password": "not the one", "new_password": "short"},
        attr="new_password",
    ),
    Operation("GET", f"{AUTH}/me/", (200, 200, 200, 200)),
    Operation(
        "POST",
        f"{AUTH}/revoke/",
        (200, 200, 200, 200),
        "anyone",
        body={"token": "x"},
        bad={"nothing": "x"},
        form=True,
        attr="token",
    ),
    Operation(
        "POST",
        f"{AUTH}/introspect/",
        (403, 403, 200, 403),
        "API key",
        "tokens:introspect",
        {"token": "x"},
        {"nothing": "x"},
        form=True,
        attr="token",
    ),
    Operation("GET", f"{AUTH}/verify/", (204, 204, 204, 204)),
    Operation("GET", "/api/v1/companies/", (200, 200, 200, 200), bad=_LIMIT, attr="limit"),
    Operation("GET", f"{COMPANY}/", (200, 200, 200, 200)),
    Operation("GET", f"{COMPANY}/audit-events/", (200, 403, 200, 403), scope="audit:read", bad=_LIMIT, attr="limit"),
    Operation("GET", KEYS, (200, 200, 200, 403), scope="api_keys:read", bad="status=dead", attr="status"),
    Operation(
        "POST",
        KEYS,
        (201, 201, 403, 403),
        "access token",
        body={**_NAME, "expires_in": 3600},
        bad=_NAME,
        attr="expires_at",
    ),
    Operation("GET", KEY, (200, 404, 200, 403), scope="api_keys:read"),
    Operation("PATCH", KEY, (200, 404, 403, 403), "access token", body=_NAME, bad=_BLANK, attr="name"),
    Operation("DELETE", KEY, (204, 404, 403, 403)),
    Operation(
        "POST",
        f"{KEY}rotate/",
        (201, 404, 403, 403),
        scope="api_keys:rotate",
        body={"expires_in": 3600},
        bad={"expires_in": 1},
        attr="expires_in",
    ),
    Operation("GET", DATASETS, (200, 200, 200, 200), scope="datasets:read", bad=_LIMIT, attr="limit"),
    Operation("POST", DATASETS, (201, 201, 201, 403), scope="datasets:write", body=_NAME, bad=_BLANK, attr="name"),
    Operation("GET", DATASET, (200, 200, 200, 200), scope="datasets:read"),
    Operation("PATCH", DATASET, (200, 200, 200, 403), scope="datasets:write", body=_NAME, bad=_BLANK, attr="name"),
    Operation("DELETE", DATASET, (204, 204, 204, 403), scope="datasets:write"),
)


def listed(app: FastAPI) -> set[tuple[str, str]]:
    """Method and path of every operation that the application really has below `/api/`."""
    return {
        (method, route.path) for route in RouteTable(app) if route.path.startswith("/api/") for method in route.methods
    }
