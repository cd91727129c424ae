"""`/api/v1/auth/revoke/` (RFC 7009), `introspect/` (RFC 7662) and `verify/` (forward auth)."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response, Security
from pydantic import WithJsonSchema

from keyhouse.gate import Principal, guard
from keyhouse.http import forward_auth
from keyhouse.http.forward_auth import ForwardAuth
from keyhouse.http.openapi import refusals
from keyhouse.http.routers.auth import PREFIX, origin
from keyhouse.http.schemas import EmptyAnswer, IntrospectionAnswer
from keyhouse.issuance.introspection import Introspection

Token = Annotated[str, Form(max_length=16384)]
Hint = Annotated[str, Form(max_length=100), WithJsonSchema({"type": "string"})]
FORMS = frozenset({f"{PREFIX}/revoke/", f"{PREFIX}/introspect/"})


def router(introspection: Introspection, verify: ForwardAuth) -> APIRouter:
    """The routes that take a token which is not the caller's credential, and the one for proxies."""
    routes = APIRouter(prefix=PREFIX, tags=["tokens"])

    @routes.post("/revoke/", responses=refusals(429, 503))
    async def revoke_token(request: Request, token: Token, token_type_hint: Hint = "") -> EmptyAnswer:  # noqa: ARG001 - RFC 7009 lets a client send it, and a token tells itself what it is
        """Revoke a token, by whoever holds it. 200 for any text: what is no live token of ours stays as it is."""
        await introspection.revoke(token, origin(request))
        return EmptyAnswer()

    @routes.post("/introspect/", response_model_exclude_none=True)
    async def introspect_token(
        who: Annotated[Principal, Security(guard, scopes=["tokens:introspect"])],
        token: Token,
        token_type_hint: Hint = "",  # noqa: ARG001 - as above
    ) -> IntrospectionAnswer:
        """What an API key of the caller's company is worth; `{"active": false}` for anything else."""
        found = await introspection.introspect(token, who.company_id or "")
        if found is None:
            return IntrospectionAnswer(active=False)
        claims = found.claims
        return IntrospectionAnswer(
            active=True,
            scope=" ".join(found.scopes),
            sub=claims.sub,
            company_id=claims.company_id,
            jti=claims.jti,
            iat=claims.iat,
            exp=found.expires_at,
            iss=claims.iss,
            aud=claims.aud,
            token_use="api_key",  # noqa: S106 - a kind, no secret
        )

    @routes.get(
        "/verify/",
        status_code=204,
        responses={**forward_auth.ANSWERS, **refusals(401, 403, 503)},
        openapi_extra={"security": [{guard.scheme_name: []}]},
    )
    async def verify_token(
        request: Request,
        company_id: Annotated[str | None, Query(description="The company that the request is for")] = None,  # noqa: ARG001 - read from the raw query, for the document alone
        company: Annotated[str | None, Query(description="`uri`: from the header of a trusted proxy")] = None,  # noqa: ARG001 - as above
        scope: Annotated[list[str] | None, Query(description="Scopes that are needed")] = None,  # noqa: ARG001 - as above
    ) -> Response:
        """Forward auth: may this request pass, and whose is it."""
        headers = await verify.headers(request.scope)
        return Response(status_code=204, headers={name.decode(): value.decode() for name, value in headers})

    return routes
