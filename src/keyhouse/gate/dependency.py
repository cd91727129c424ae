"""What a route names: `Security(guard, scopes=[…])`. One flat dependency, the cheapest that FastAPI has."""

from fastapi.openapi.models import HTTPBearer
from fastapi.security import SecurityScopes
from fastapi.security.base import SecurityBase
from starlette.requests import HTTPConnection

from keyhouse.errors import Failure
from keyhouse.gate.exchange import SCOPE_KEY, Exchange
from keyhouse.gate.principal import Principal
from keyhouse.gate.resolver import KILLED
from keyhouse.tokens import TokenUse


class Guard(SecurityBase):
    """A dependency that lets in live credentials alone and answers their `Principal`.

    On a path with `{company_id}` the principal is of that company, or the request is 404.
    """

    def __init__(self, only: TokenUse | None = None) -> None:
        """With `only`, the other kind of token is 403 `permission_denied`."""
        self.only = only
        self.scheme_name = "bearer"
        self.model = HTTPBearer(
            bearerFormat="JWT",
            description="An access token or an API key, in `Authorization: Bearer <token>`.",
        )

    # HTTPConnection, since a Request can't be had on a WebSocket route.
    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Principal:
        scope = connection.scope
        exchange: Exchange | None = scope.get(SCOPE_KEY)
        if exchange is None:
            raise RuntimeError("the guard needs Keyhouse on its application: call keyhouse.install(app, settings)")
        company_id = scope["path_params"].get("company_id")
        return await exchange.gate.admit(exchange, scope["headers"], company_id, security_scopes.scopes, self.only)


class RevokingGuard(Guard):
    """For routes by which a credential ends itself. Who repeats that is refused with 401, and takes it for done: so it
    is answered, like the first time, when it is true everywhere.
    """

    async def __call__(self, connection: HTTPConnection, security_scopes: SecurityScopes) -> Principal:
        try:
            return await super().__call__(connection, security_scopes)
        except Failure as failed:
            if failed.cause in KILLED:
                exchange: Exchange = connection.scope[SCOPE_KEY]
                await exchange.gate.settle()
            raise


guard = Guard()
access_token_guard = Guard(only=TokenUse.ACCESS)
revoking_guard = RevokingGuard()
revoking_access_token_guard = RevokingGuard(only=TokenUse.ACCESS)
