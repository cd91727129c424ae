"""`/healthz`, `/readyz`, `/metrics`, and the public keys (RFC 8615, RFC 7517)."""

from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse, Response
from sqlalchemy import text

from keyhouse.credentials.view import View
from keyhouse.db import Database, migrations
from keyhouse.errors import Failure
from keyhouse.http.metrics import CONTENT_TYPE, Metrics
from keyhouse.tokens import KeyRing


def router(database: Database, view: View, keys: KeyRing, metrics: Metrics) -> APIRouter:
    """What operators and verifiers ask."""
    routes = APIRouter(include_in_schema=False)
    expected = migrations.head()

    @routes.get("/healthz")
    async def live() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get("/readyz")
    async def ready() -> JSONResponse:
        checks = {"database": "failed", "schema": "unknown", "freshness": "failed"}
        try:
            async with database.reading() as tx:
                await tx.execute(text("SELECT 1"))
            checks["database"] = "ok"
            checks["schema"] = "ok" if await migrations.current(database) == expected else "failed"
            if view.staleness() <= max(view.bound, 1.0):
                checks["freshness"] = "ok"
        except Failure:
            pass
        good = all(result == "ok" for result in checks.values())
        return JSONResponse({"status": "ok" if good else "failed", "checks": checks}, 200 if good else 503)

    @routes.get("/metrics")
    async def read_metrics() -> Response:
        return Response(metrics.text(), media_type=CONTENT_TYPE)

    @routes.get("/.well-known/jwks.json")
    async def jwks() -> dict[str, list[dict[str, Any]]]:
        return {"keys": list(keys.jwks()["keys"])}

    return routes
