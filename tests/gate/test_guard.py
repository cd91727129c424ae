"""The guard, with real tokens."""

from support.world import World, bearer

INVALID = (
    b'{"type":"client_error","errors":[{"code":"invalid_token",'
    b'"detail":"The provided token is expired or invalid.","attr":null,"extra":null}]}'
)


async def test_a_live_key_is_let_in_and_a_revoked_one_is_not(world: World) -> None:
    key = await world.new_key()
    path = f"{world.base}/datasets/"
    assert (await world.request("GET", path, bearer(key["token"]))).status_code == 200
    answer = await world.request("DELETE", f"{world.base}/api-keys/{key['id']}/", world.admin)
    assert answer.status_code == 204
    answer = await world.request("GET", path, bearer(key["token"]))
    assert answer.status_code == 401
    assert answer.content == INVALID
