"""The routes."""

import secrets
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import serializers
import store
from authentication import RESOURCE, signed
from django.contrib.auth.hashers import check_password
from django.http import Http404
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

ACCESS_SECONDS = 900


def valid(serializer: Any) -> dict[str, Any]:
    serializer.is_valid(raise_exception=True)
    return serializer.validated_data


def found(rows: dict[str, store.Row], row_id: str) -> store.Row:
    if row_id not in rows:
        raise Http404
    return rows[row_id]


def page(request: Request, rows: Iterable[store.Row], shown: Any) -> Response:
    """Newest first, from after the row whose id the cursor is."""
    query = request.query_params
    asked = valid(
        serializers.Listing(data={name: query.getlist(name) if name == "status" else query[name] for name in query})
    )
    listed = list(rows)[::-1]
    if "cursor" in asked:
        ids = [row["id"] for row in listed]
        listed = listed[ids.index(str(asked["cursor"])) + 1 :] if str(asked["cursor"]) in ids else []
    results, more = listed[: asked["limit"]], len(listed) > asked["limit"]
    return Response({"results": shown(results, many=True).data, "next_cursor": results[-1]["id"] if more else None})


class LogIn(APIView):
    permission_classes = ()

    def post(self, request: Request) -> Response:
        given = valid(serializers.LogIn(data=request.data))
        right = check_password(given["password"], store.PASSWORD_HASH)
        if given["email"] != store.USER["email"] or not right:
            raise AuthenticationFailed
        token = signed(
            exp=int(datetime.now(UTC).timestamp()) + ACCESS_SECONDS,
            token_use="access",
            jti=store.new_id(),
            sid=store.new_id(),
            scope=" ".join(RESOURCE),
        )
        return Response(
            {
                "access_token": token,
                "token_type": "Bearer",
                "expires_in": ACCESS_SECONDS,
                "refresh_token": secrets.token_urlsafe(32),
                "refresh_expires_in": 14 * 86400,
            }
        )


class Me(APIView):
    def get(self, request: Request) -> Response:
        caller = request.user
        key = caller.key
        credential = {
            "type": "access_token" if key is None else "api_key",
            "id": caller.claims["sid"] if key is None else key["id"],
            "name": None if key is None else key["name"],
            "company_id": None if key is None else key["company_id"],
            "scopes": RESOURCE if key is None else key["scopes"],
            "expires_at": datetime.fromtimestamp(caller.claims["exp"], UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        }
        company = {"id": store.COMPANY["id"], "name": store.COMPANY["name"], "role": "admin"}
        return Response({"user": serializers.Person(store.USER).data, "companies": [company], "credential": credential})


class Keys(APIView):
    scopes: ClassVar = {"GET": "api_keys:read", "HEAD": "api_keys:read", "POST": "access"}

    def get(self, request: Request, company_id: str) -> Response:  # noqa: ARG002 - the permission looked at it
        wanted = request.query_params.getlist("status") or ["active", "expired"]
        return page(request, [row for row in store.KEYS.values() if store.status(row) in wanted], serializers.Key)

    def post(self, request: Request, company_id: str) -> Response:
        given = valid(serializers.Key(data=request.data))
        begun = store.now()
        row = {
            "id": store.new_id(),
            "name": given["name"],
            "company_id": company_id,
            "created_by": store.USER,
            "scopes": list(dict.fromkeys(given.get("scopes", RESOURCE))),
            "created_at": begun,
            "expires_at": given.get("expires_at") or begun + timedelta(seconds=given["expires_in"]),
            **dict.fromkeys(("last_used_at", "revoked_at", "retires_at", "replaces", "replaced_by")),
        }
        token = signed(
            iat=int(begun.timestamp()),
            exp=int(row["expires_at"].timestamp()),
            token_use="api_key",
            jti=row["id"],
            company_id=company_id,
            scope=" ".join(row["scopes"]),
        )
        row["hint"] = token[-4:]
        store.KEYS[row["id"]] = row
        headers = {"Location": f"{request.path}{row['id']}/"}
        return Response({**serializers.Key(row).data, "token": token}, 201, headers=headers)


class Key(APIView):
    scopes: ClassVar = {"GET": "api_keys:read", "HEAD": "api_keys:read", "PATCH": "access"}

    def get(self, request: Request, company_id: str, key_id: str) -> Response:  # noqa: ARG002 - as above
        return Response(serializers.Key(found(store.KEYS, key_id)).data)

    def patch(self, request: Request, company_id: str, key_id: str) -> Response:  # noqa: ARG002 - as above
        row = found(store.KEYS, key_id)
        row.update(valid(serializers.Rename(data=request.data)))
        return Response(serializers.Key(row).data)

    def delete(self, request: Request, company_id: str, key_id: str) -> Response:  # noqa: ARG002 - as above
        key = request.user.key
        if key is not None and key["id"] != key_id:
            self.permission_denied(request)
        row = found(store.KEYS, key_id)
        row["revoked_at"] = row["revoked_at"] or store.now()
        return Response(status=204)


class Datasets(APIView):
    scopes: ClassVar = {"GET": "datasets:read", "HEAD": "datasets:read", "POST": "datasets:write"}

    def get(self, request: Request, company_id: str) -> Response:  # noqa: ARG002 - as above
        return page(request, store.DATASETS.values(), serializers.Dataset)

    def post(self, request: Request, company_id: str) -> Response:  # noqa: ARG002 - as above
        given = valid(serializers.Dataset(data=request.data))
        begun = store.now()
        row = {"id": store.new_id(), **given, "created_at": begun, "updated_at": begun}
        store.DATASETS[row["id"]] = row
        headers = {"Location": f"{request.path}{row['id']}/"}
        return Response(serializers.Dataset(row).data, 201, headers=headers)


class Dataset(APIView):
    scopes: ClassVar = {
        "GET": "datasets:read",
        "HEAD": "datasets:read",
        "PATCH": "datasets:write",
        "DELETE": "datasets:write",
    }

    def get(self, request: Request, company_id: str, dataset_id: str) -> Response:  # noqa: ARG002 - as above
        return Response(serializers.Dataset(found(store.DATASETS, dataset_id)).data)

    def patch(self, request: Request, company_id: str, dataset_id: str) -> Response:  # noqa: ARG002 - as above
        row = found(store.DATASETS, dataset_id)
        row.update(valid(serializers.Dataset(row, data=request.data, partial=True)), updated_at=store.now())
        return Response(serializers.Dataset(row).data)

    def delete(self, request: Request, company_id: str, dataset_id: str) -> Response:  # noqa: ARG002 - as above
        found(store.DATASETS, dataset_id)
        del store.DATASETS[dataset_id]
        return Response(status=204)
