"""Two hosts, and the network between one of them and the database is cut: packets are lost, and nobody is told."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from support.hosts import NETWORK, Host, second_host
from support.postgres import Postgres
from support.scenes import KEY, SESSION, stage_of
from support.servers import Servers, running_servers
from support.strikes import strike
from support.watch import watching
from support.wire import ask

_BOUND = 0.1

pytestmark = pytest.mark.namespaces


@pytest.fixture
def host() -> Iterator[Host]:
    with second_host() as made:
        yield made


@pytest.fixture
def there(host: Host, tmp_path: Path) -> Iterator[Servers]:
    """Servers on the second host."""
    with running_servers(tmp_path, host.command) as started:
        yield started


@pytest.fixture
def reachable_postgres(mortal_postgres: Postgres) -> Postgres:
    """It listens to other hosts, too."""
    with (mortal_postgres.data / "pg_hba.conf").open("a") as rules:
        rules.write(f"host all all {NETWORK} trust\n")
    mortal_postgres.sql("ALTER SYSTEM SET listen_addresses = '*'")
    mortal_postgres.stop()
    mortal_postgres.start()
    return mortal_postgres


async def test_a_host_that_is_cut_off_lets_nobody_in_who_was_revoked(
    reachable_postgres: Postgres, servers: Servers, there: Servers, host: Host
) -> None:
    here_url = reachable_postgres.url()
    (near,) = servers.several(1, here_url)
    (far,) = there.several(1, here_url.replace("127.0.0.1", host.database), host=host.address)
    async with stage_of(here_url, [near]) as stage:
        scene = await stage.scene("cut off", [])
        doomed, alive = scene.tries[KEY][0], scene.tries[SESSION][0]
        for data in (doomed, alive):
            assert (await ask(far.host, far.port, data)).status == 204
        async with watching(far, doomed, alive) as (of_doomed, of_alive):
            await asyncio.sleep(2 * _BOUND)
            host.cut()
            cut = time.monotonic()
            await strike(stage, scene, "DELETE", lambda _: None)
            answered = time.monotonic()
            await asyncio.sleep(2)
            mended = time.monotonic()
            host.mend()
            back = time.monotonic()
            await asyncio.sleep(1.5)
    assert scene.history.deaths[0].answered is not None
    assert not [seen for seen in of_doomed.seen if seen.began > answered and seen.let_in]
    assert of_doomed.seen[-1].answer.status == 401
    meanwhile = of_alive.between(cut + _BOUND, mended)
    assert len(meanwhile) >= 5
    assert {seen.answer.status for seen in meanwhile} == {503}
    assert {seen.answer.header("Retry-After") for seen in meanwhile} == {"1"}
    took = sorted(seen.ended - seen.began for seen in meanwhile)
    assert took[int(len(took) * 0.9)] <= 0.25
    assert of_alive.first_let_in_after(back) < 1
