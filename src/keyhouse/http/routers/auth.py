"""`/api/v1/auth/`: log in, refresh, log out, change the password, who am I."""

from typing import Annotated, Any

from fastapi import APIRouter, Request, Response, Security

from keyhouse.audit import Origin
from keyhouse.credentials import store
from keyhouse.db import Database
from keyhouse.directory import companies, users
from keyhouse.errors import VALIDATION, invalid_field, invalid_token
from keyhouse.gate import Exchange, Principal, access_token_guard, guard, revoking_access_token_guard
from keyhouse.gate.exchange import SCOPE_KEY
from keyhouse.http.cookies import RefreshCookie
from keyhouse.http.openapi import refusals
from keyhouse.http.schemas import CookieSessionAnswer, LogInBody, MeAnswer, PasswordBody, RefreshBody, TokenAnswer
from keyhouse.issuance.login import LogIn
from keyhouse.issuance.sessions import Sessions, TokenPair
from keyhouse.scopes import Vocabulary

PREFIX = "/api/v1/auth"


def origin(request: Request) -> Origin:
    """Who asks, from where, for the audit events."""
    exchange: Exchange = request.scope[SCOPE_KEY]
    return exchange.origin()


def router(
    database: Database, log_in: LogIn, sessions: Sessions, vocabulary: Vocabulary, cookie: RefreshCookie
) -> APIRouter:
    """The routes of log-in and sessions."""
    routes = APIRouter(prefix=PREFIX, tags=["auth"])

    @routes.post("/token/", responses={**refusals(401, 429, 503), **cookie.given()})
    async def create_token(request: Request, response: Response, body: LogInBody) -> TokenAnswer | CookieSessionAnswer:
        """Log in with e-mail and password for a short-living access token and a refresh token.

        With `session: cookie`, for a page of this origin, the refresh token is put in a cookie.
        """
        pair = await log_in.log_in(body.email, body.password.get_secret_value(), origin(request))
        return _answer(pair) if body.session is None else _put(pair, response, cookie)

    @routes.post("/token/refresh/", responses={**refusals(401, 503), **cookie.given()}, openapi_extra=cookie.taken())
    async def refresh_token(
        request: Request, response: Response, body: RefreshBody
    ) -> TokenAnswer | CookieSessionAnswer:
        """Exchange a refresh token, which serves once, for a new pair.

        One that came in the cookie is exchanged for one in the cookie.
        """
        if body.refresh_token is not None:
            return _answer(await sessions.refresh(body.refresh_token.get_secret_value(), origin(request)))
        return _put(await sessions.refresh(_in_cookie(request, body, cookie), origin(request)), response, cookie)

    @routes.post("/logout/", status_code=204, responses=cookie.cleared())
    async def log_out(
        request: Request, response: Response, who: Annotated[Principal, Security(revoking_access_token_guard)]
    ) -> None:
        """End the session: its access and refresh tokens are dead when this is answered."""
        await sessions.end(who.credential_id, origin(request))
        cookie.clear(response)

    @routes.post("/password/", status_code=204, responses=refusals(429))
    async def change_password(
        request: Request, body: PasswordBody, who: Annotated[Principal, Security(access_token_guard)]
    ) -> None:
        """Change the password. The user's other sessions are dead when this is answered."""
        await log_in.change_password(
            who.user_id,
            who.credential_id,
            current=body.current_password.get_secret_value(),
            new=body.new_password.get_secret_value(),
            origin=origin(request),
        )

    @routes.get("/me/")
    async def me(who: Annotated[Principal, Security(guard)]) -> MeAnswer:
        """Who this token speaks for, and what it may do."""
        async with database.reading() as tx:
            user = await users.by_id(tx, who.user_id)
            theirs = await companies.memberships(tx, who.user_id)
            record = None
            if who.credential_type == "api_key" and who.company_id is not None:
                record = await store.get(tx, who.company_id, who.credential_id)
        if user is None:
            raise invalid_token("unknown")
        return MeAnswer.model_validate(
            {
                "user": {"id": user.id, "email": user.email},
                "companies": [
                    {"id": company.id, "name": company.name, "role": role}
                    for company, role in theirs
                    if who.company_id in {None, company.id}
                ],
                "credential": _credential(who, None if record is None else record.key.name, vocabulary),
            }
        )

    return routes


def _credential(who: Principal, name: str | None, vocabulary: Vocabulary) -> dict[str, Any]:
    return {
        "type": who.credential_type,
        "id": who.credential_id,
        "name": name,
        "company_id": who.company_id,
        "scopes": vocabulary.ordered(who.scopes),
        "expires_at": int(who.expires_at.timestamp()),
    }


def _in_cookie(request: Request, body: RefreshBody, cookie: RefreshCookie) -> str:
    token = cookie.honoured(request)
    if token is not None:
        return token
    if body.session is None and not cookie.came(request):
        raise invalid_field("refresh_token", VALIDATION["required"], "required")
    raise invalid_token("cookie not honoured")


def _put(pair: TokenPair, response: Response, cookie: RefreshCookie) -> CookieSessionAnswer:
    cookie.put(response, pair.refresh_token, pair.refresh_expires_in)
    return CookieSessionAnswer(
        access_token=pair.access_token,
        expires_in=pair.expires_in,
        refresh_expires_in=pair.refresh_expires_in,
    )


def _answer(pair: TokenPair) -> TokenAnswer:
    return TokenAnswer(
        access_token=pair.access_token,
        expires_in=pair.expires_in,
        refresh_token=pair.refresh_token,
        refresh_expires_in=pair.refresh_expires_in,
    )
