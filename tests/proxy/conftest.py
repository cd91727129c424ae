"""A real Keyhouse on PostgreSQL, where a revocation is waited for, the example, and the page's nginx before both."""

import asyncio
import uuid
from collections.abc import Iterator

import pytest

from support.behind import Nginx, Service, running_nginx, running_service
from support.house import House, environment
from support.postgres import Postgres
from support.servers import running_servers
from support.world import settings_for, world_of


async def populate(database_url: str) -> tuple[str, str]:
    """Two companies, and an admin of the first."""
    async with world_of(settings_for(database_url)) as world:
        return world.company.id, (await world.new_company()).id


@pytest.fixture(scope="session")
def house(postgres: Postgres, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    database = f"proxy_{uuid.uuid4().hex}"
    postgres.sql(f"CREATE DATABASE {database} TEMPLATE keyhouse_template")
    url = postgres.url(database)
    ids = asyncio.run(populate(url))
    with running_servers(tmp_path_factory.mktemp("house")) as servers:
        (server,) = servers.several(1, url, environment=environment())
        yield House(servers, server, database, url, *ids)
    postgres.sql(f"DROP DATABASE {database} WITH (FORCE)")


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


@pytest.fixture(scope="session")
def nginx(house: House, service: Service, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with running_nginx(tmp_path_factory.mktemp("nginx"), house.server.port, service.port) as running:
        yield running
