"""What a request leaves behind in memory."""

import gc

from keyhouse.gate import Exchange
from support.world import World, bearer


async def test_an_answered_request_is_gone_without_the_garbage_collector(world: World) -> None:
    """A circle would keep all of it until the collector comes, and what is new at each request is in no cache of the
    processor.
    """
    key = await world.new_key()
    gc.collect()
    gc.disable()
    try:
        for headers in (bearer(key["token"]), bearer("no.such.token"), {}):
            for path in (f"{world.base}/datasets/", "/api/v1/auth/verify/", "/api/v1/nowhere/"):
                await world.request("GET", path, headers)
        assert not [one for one in gc.get_objects() if isinstance(one, Exchange)]
    finally:
        gc.enable()
