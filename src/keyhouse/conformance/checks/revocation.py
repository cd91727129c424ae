"""The promise: what begins after the answer to a revocation is refused, on every connection."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.answer import Answer
from keyhouse.conformance.api import AUTH, KEY_SECONDS, Api
from keyhouse.conformance.volley import Volley

pytestmark = pytest.mark.contract("6")


def _revoke(api: Api, token: str) -> Answer:
    return api.patiently(lambda: api.send("POST", f"{AUTH}/revoke/", form={"token": token}))


def check_delete(api: Api, access: str) -> None:
    """After the answer to DELETE a key is dead on every connection."""
    key = api.new_key()
    path = f"{api.api_keys}{key['id']}/"
    answer = Volley(api, api.datasets, key["token"]).around(lambda: api.send("DELETE", path, token=access))
    expect.status(answer, 204)


def check_repeated_delete(api: Api, access: str) -> None:
    """Of two DELETEs at once, the answer that comes first is as true."""
    key = api.new_key()
    path = f"{api.api_keys}{key['id']}/"

    def first_of_two() -> Answer:
        with ThreadPoolExecutor(2) as pool:
            both = [pool.submit(api.send, "DELETE", path, token=access) for _ in range(2)]
            return min((one.result() for one in both), key=lambda answer: answer.status)

    expect.status(Volley(api, api.datasets, key["token"]).around(first_of_two), 204)


def check_revoke(api: Api) -> None:
    """After the answer to revoke/ the key that was handed in is dead on every connection."""
    key = api.new_key()
    expect.status(Volley(api, api.datasets, key["token"]).around(lambda: _revoke(api, key["token"])), 200)


def check_revoke_of_a_refresh_token(api: Api) -> None:
    """After the answer to revoke/ with a refresh token its session is dead on every connection."""
    session = api.session()
    volley = Volley(api, f"{AUTH}/me/", session["access_token"])
    expect.status(volley.around(lambda: _revoke(api, session["refresh_token"])), 200)
    body = {"refresh_token": session["refresh_token"]}
    expect.invalid_token(api.send("POST", f"{AUTH}/token/refresh/", json=body))


def check_logout(api: Api) -> None:
    """After the answer to logout/ the session is dead on every connection, its refresh token, too."""
    session = api.session()
    token = session["access_token"]
    volley = Volley(api, api.datasets, token)
    expect.status(volley.around(lambda: api.send("POST", f"{AUTH}/logout/", token=token)), 204)
    body = {"refresh_token": session["refresh_token"]}
    expect.invalid_token(api.send("POST", f"{AUTH}/token/refresh/", json=body))


def check_first_use_of_a_successor(api: Api, access: str) -> None:
    """After the answer to the first request with its successor a key of overlap 0 is dead on every connection."""
    key = api.new_key()
    body = {"expires_in": KEY_SECONDS, "overlap": 0}
    made = api.send("POST", f"{api.api_keys}{key['id']}/rotate/", token=access, json=body)
    successor = str(expect.status(made, 201).get("token"))
    volley = Volley(api, api.datasets, key["token"])
    expect.status(volley.around(lambda: api.send("GET", api.datasets, token=successor)), 200)
