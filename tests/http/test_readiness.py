"""`/readyz`: which of what a worker needs is there."""

import pytest
from httpx import ASGITransport, AsyncClient

from keyhouse import create_app
from keyhouse.db import Database, migrations
from keyhouse.errors import Failure
from support.postgres import free_port
from support.world import World, settings_for


async def test_a_worker_that_has_all_is_ready(world: World) -> None:
    answer = await world.request("GET", "/readyz")
    assert answer.status_code == 200
    assert answer.json() == {"status": "ok", "checks": {"database": "ok", "schema": "ok", "freshness": "ok"}}


async def test_without_the_database_it_is_not_and_says_so() -> None:
    app = create_app(settings_for(f"postgresql://keyhouse@127.0.0.1:{free_port()}/keyhouse"))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://keyhouse.test") as http:
        answer = await http.get("/readyz")
        assert answer.status_code == 503
        assert answer.json() == {
            "status": "failed",
            "checks": {"database": "failed", "schema": "unknown", "freshness": "failed"},
        }
        assert (await http.get("/healthz")).status_code == 200


async def test_the_database_may_go_between_two_checks() -> None:
    database = Database(f"postgresql://keyhouse@127.0.0.1:{free_port()}/keyhouse")
    with pytest.raises(Failure) as caught:
        await migrations.current(database)
    assert caught.value.status == 503
    await database.close()
