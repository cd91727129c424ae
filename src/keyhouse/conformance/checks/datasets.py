"""`datasets/`: the sample resource."""

import uuid
from typing import Any

import pytest

from keyhouse.conformance import expect
from keyhouse.conformance.api import Api
from keyhouse.conformance.fixtures import Key

pytestmark = pytest.mark.contract("3")

_DATASET = ("id", "name", "description", "created_at", "updated_at")


@pytest.mark.parametrize("who", ["user", "key"])
def check_create(api: Api, access: str, key: Key, who: str) -> None:
    """Users and keys create datasets."""
    token = access if who == "user" else key["token"]
    answer = api.send("POST", api.datasets, token=token, json={"name": "Made", "description": "by hand"})
    body = expect.fields(answer, 201, _DATASET)
    expect.same(answer.asked, "name", "Made", body["name"])
    expect.same(answer.asked, "description", "by hand", body["description"])
    expect.header(answer, "Location", f"{api.datasets}{body['id']}/")
    expect.uuid7(answer.asked, "id", body["id"])
    for name in ("created_at", "updated_at"):
        expect.moment(answer.asked, name, body[name])


def check_default(api: Api, access: str) -> None:
    """A dataset without a description has an empty one."""
    answer = api.send("POST", api.datasets, token=access, json={"name": "Bare"})
    expect.same(answer.asked, "description", "", expect.fields(answer, 201, _DATASET)["description"])


def check_read(api: Api, reader: Key, dataset: dict[str, Any]) -> None:
    """A dataset is read by its id and in the list, and is the same in both."""
    one = api.send("GET", f"{api.datasets}{dataset['id']}/", token=reader["token"])
    expect.fields(one, 200, _DATASET)
    path, cursor = f"{api.datasets}?limit=200", ""
    listed: list[dict[str, Any]] = []
    while True:
        results, more = expect.page(api.send("GET", f"{path}{cursor}", token=reader["token"]))
        listed += [item for item in results if item.get("id") == dataset["id"]]
        if more is None:
            break
        cursor = f"&cursor={more}"
    expect.same(path, "the dataset", [one.json()], listed)


def check_change(api: Api, access: str) -> None:
    """PATCH changes what it names and leaves the rest."""
    made = api.send("POST", api.datasets, token=access, json={"name": "Before", "description": "kept"})
    answer = api.send("PATCH", f"{api.datasets}{made.get('id')}/", token=access, json={"name": "After"})
    body = expect.fields(answer, 200, _DATASET)
    expect.same(answer.asked, "name", "After", body["name"])
    for name in ("id", "description", "created_at"):
        expect.same(answer.asked, name, made.get(name), body[name])


@pytest.mark.parametrize(
    ("body", "expected"),
    [({"name": ""}, ("blank", "name")), ({"id": "x"}, ("invalid", "id"))],
    ids=["a blank name", "an id"],
)
def check_bad_change(
    api: Api, access: str, dataset: dict[str, Any], body: dict[str, Any], expected: tuple[str, str]
) -> None:
    """PATCH is as strict as POST."""
    expect.invalid(api.send("PATCH", f"{api.datasets}{dataset['id']}/", token=access, json=body), expected)


def check_delete(api: Api, key: Key) -> None:
    """DELETE is 204, and then the dataset is 404."""
    made = api.send("POST", api.datasets, token=key["token"], json={"name": "Gone"})
    path = f"{api.datasets}{made.get('id')}/"
    expect.status(api.send("DELETE", path, token=key["token"]), 204)
    expect.refusal(api.send("GET", path, token=key["token"]), 404, "not_found")
    expect.refusal(api.send("DELETE", path, token=key["token"]), 404, "not_found")


@pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
def check_no_such_dataset(api: Api, access: str, dataset: dict[str, Any], method: str) -> None:
    """A dataset that is not there, or whose id is none, is 404."""
    body = {"name": "x"} if method == "PATCH" else None
    nowhere = [str(uuid.uuid4()), "not-an-id"]
    if str(dataset["id"]).upper() != dataset["id"]:
        nowhere.append(str(dataset["id"]).upper())
    for dataset_id in nowhere:
        answer = api.send(method, f"{api.datasets}{dataset_id}/", token=access, json=body)
        expect.refusal(answer, 404, "not_found")
