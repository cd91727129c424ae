"""What every Python peer shares: the one answer, its path, and the line that prints tokens for the load generator.

A peer is a module with `tokens(count)`, a coroutine that prepares the store in the working directory and returns a
`Prepared`, and with `app` (ASGI) or `application` (WSGI). `python common.py PEER COUNT` prints that as JSON.
"""

from __future__ import annotations

import asyncio
import dataclasses
import importlib
import json
import sys
from typing import Any

ROUTE = "/api/v1/companies/{company_id}/datasets/"
COMPANY = "0199f4a2-5f3d-7c11-8a44-6d0c2b9e7f01"
PATH = ROUTE.format(company_id=COMPANY)
SECRET = "a secret of the benchmark, long enough for HS256"  # no secret: it signs nothing outside these runs
DAY = 86_400


def answer() -> dict[str, Any]:
    """The same body everywhere, made anew for each request as a handler would."""
    return {
        "results": [{"id": "0199f4a2-6c1e-7b7a-9d52-2f1f0a4f5b10", "name": "Orders"}],
        "next_cursor": None,
    }


@dataclasses.dataclass
class Prepared:
    """`revoke` is the request by which this project's documentation ends the first token, where it knows one."""

    tokens: list[str]
    scheme: str = "Bearer"
    revoke: dict[str, Any] | None = None
    path: str = PATH


def revoking(method: str, path: str, body: dict[str, Any] | None = None) -> dict[str, Any]:
    return {"method": method, "path": path, "body": body}


def main() -> None:
    name, count = sys.argv[1], int(sys.argv[2])
    prepared = asyncio.run(importlib.import_module(name).tokens(count))
    print(json.dumps(dataclasses.asdict(prepared)))


if __name__ == "__main__":
    main()
