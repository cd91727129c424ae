"""Litestar's JWTAuth: users in a dictionary, as in its documentation, and its handler for revoked tokens over a set."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from common import DAY, ROUTE, SECRET, Prepared, answer, revoking
from litestar import Litestar, Request, get, post
from litestar.connection import ASGIConnection
from litestar.security.jwt import JWTAuth, Token


@dataclass
class User:
    id: str


class Users(dict[str, User]):
    """A store in memory that has every user who is asked for."""

    def __missing__(self, key: str) -> User:
        return self.setdefault(key, User(key))


users = Users()
revoked: set[str] = set()


async def retrieve_user(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> User:
    return users[token.sub]


async def is_revoked(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> bool:
    return token.jti in revoked


auth = JWTAuth[User](
    retrieve_user_handler=retrieve_user,
    revoked_token_handler=is_revoked,
    token_secret=SECRET,
    exclude=["/schema"],
)


@get(ROUTE.replace("company_id", "company_id:str"))
async def datasets(company_id: str) -> dict[str, Any]:  # noqa: ARG001 - Litestar wants the path's names
    return answer()


@post("/logout", status_code=204)
async def logout(request: Request[User, Token, Any]) -> None:
    revoked.add(str(request.auth.jti))


app = Litestar([datasets, logout], on_app_init=[auth.on_app_init])


async def tokens(count: int) -> Prepared:
    issued = [
        auth.create_token(f"user{n}", token_expiration=timedelta(seconds=DAY), token_unique_jwt_id=f"token{n}")
        for n in range(count)
    ]
    return Prepared(issued, revoke=revoking("POST", "/logout"))
