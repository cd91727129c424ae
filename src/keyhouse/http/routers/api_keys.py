"""`/api/v1/companies/<company_id>/api-keys/`: the life of API keys."""

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response, Security

from keyhouse.credentials.store import Status
from keyhouse.errors import permission_denied
from keyhouse.gate import Principal, access_token_guard, guard, revoking_guard
from keyhouse.http.fields import Cursor, Limit, PathId
from keyhouse.http.key_bodies import RenameBody, creation_body, rotation_body
from keyhouse.http.openapi import refusals
from keyhouse.http.routers.auth import origin
from keyhouse.http.schemas import ApiKeyAnswer, NewApiKeyAnswer, Page, page
from keyhouse.issuance.api_keys import ApiKeys, Minted
from keyhouse.scopes import Vocabulary
from keyhouse.settings import Settings

PREFIX = "/api/v1/companies/{company_id}/api-keys"
_LISTED = (Status.ACTIVE, Status.EXPIRED)


def router(api_keys: ApiKeys, vocabulary: Vocabulary, settings: Settings) -> APIRouter:
    """The routes of API keys. A member manages the keys that they created, an admin all of the company's."""
    routes = APIRouter(prefix=PREFIX, tags=["api keys"])
    Creation: Any = creation_body(vocabulary, settings)  # noqa: N806 - a class
    Rotation: Any = rotation_body(settings)  # noqa: N806 - a class

    @routes.post("/", status_code=201)
    async def create_api_key(
        company_id: str,
        body: Creation,
        who: Annotated[Principal, Security(access_token_guard)],
        request: Request,
        response: Response,
    ) -> NewApiKeyAnswer:
        """Create a key. Its token is in this answer and never again."""
        minted = await api_keys.create(
            company_id=company_id,
            user_id=who.user_id,
            role=who.role or "",
            name=body.name,
            expiry=body.expiry(),
            scopes=body.scopes,
            origin=origin(request),
        )
        return _created(minted, response)

    @routes.get("/")
    async def list_api_keys(
        company_id: str,
        who: Annotated[Principal, Security(guard, scopes=["api_keys:read"])],
        status: Annotated[list[Status], Query(description="Which keys; may be repeated")] = list(_LISTED),  # noqa: B006 - FastAPI copies it
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Page[ApiKeyAnswer]:
        """The company's keys, or of a member's access token the member's own."""
        listed = await api_keys.list(company_id, created_by=_own(who), statuses=status, limit=limit + 1, before=cursor)
        return Page[ApiKeyAnswer].model_validate(
            page(
                [ApiKeyAnswer.of(record, listed.now) for record in listed.records],
                [record.key.id for record in listed.records],
                limit,
            )
        )

    @routes.get("/{key_id}/")
    async def get_api_key(
        company_id: str, key_id: PathId, who: Annotated[Principal, Security(guard, scopes=["api_keys:read"])]
    ) -> ApiKeyAnswer:
        """One key."""
        listed = await api_keys.get(company_id, key_id, created_by=_own(who))
        return ApiKeyAnswer.of(listed.records[0], listed.now)

    @routes.patch("/{key_id}/")
    async def rename_api_key(
        company_id: str,
        key_id: PathId,
        body: RenameBody,
        who: Annotated[Principal, Security(access_token_guard)],
        request: Request,
    ) -> ApiKeyAnswer:
        """Rename a key. Nothing else of it can be changed."""
        listed = await api_keys.rename(company_id, key_id, body.name, created_by=_own(who), origin=origin(request))
        return ApiKeyAnswer.of(listed.records[0], listed.now)

    @routes.delete("/{key_id}/", status_code=204)
    async def revoke_api_key(
        company_id: str, key_id: PathId, who: Annotated[Principal, Security(revoking_guard)], request: Request
    ) -> None:
        """Revoke a key: it is dead everywhere when this is answered. A key may revoke itself."""
        _only_itself(who, key_id)
        await api_keys.revoke(company_id, key_id, created_by=_own(who), origin=origin(request))

    @routes.post("/{key_id}/rotate/", status_code=201, responses=refusals(409))
    async def rotate_api_key(
        company_id: str,
        key_id: PathId,
        body: Rotation,
        who: Annotated[Principal, Security(guard, scopes=["api_keys:rotate"])],
        request: Request,
        response: Response,
    ) -> NewApiKeyAnswer:
        """Make the successor of a key, which lives on until `overlap` seconds after the successor's first use."""
        _only_itself(who, key_id)
        minted = await api_keys.rotate(
            company_id,
            key_id,
            expiry=body.expiry(),
            overlap=body.overlap,
            created_by=_own(who),
            by_itself=who.credential_type == "api_key",
            origin=origin(request),
        )
        return _created(minted, response)

    return routes


def _own(who: Principal) -> str | None:
    """Whose keys the principal may see: of a member's access token the user's own, else all of the company."""
    return who.user_id if who.credential_type == "access_token" and not who.is_admin else None


def _only_itself(who: Principal, key_id: str) -> None:
    if who.credential_type == "api_key" and who.credential_id != key_id:
        raise permission_denied(cause="another key")


def _created(minted: Minted, response: Response) -> NewApiKeyAnswer:
    key = minted.record.key
    response.headers["Location"] = f"{PREFIX.format(company_id=key.company_id)}/{key.id}/"
    return NewApiKeyAnswer.of(minted.record, minted.now, token=minted.token)
