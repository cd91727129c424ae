"""fastapi-users with its database strategy: the token's row is loaded, then the user. Logging out deletes the row."""

import secrets
from typing import Annotated

from common import DAY, ROUTE, Prepared, answer, revoking
from fastapi import Depends, FastAPI
from fastapi_users import FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend
from fastapi_users.authentication.strategy.db import AccessTokenDatabase, DatabaseStrategy
from fastapi_users_base import (
    AccessToken,
    User,
    create_users,
    engine,
    get_access_token_db,
    get_user_manager,
    lifespan,
    sessions,
    transport,
)


def get_strategy(
    access_tokens: Annotated[AccessTokenDatabase[AccessToken], Depends(get_access_token_db)],
) -> DatabaseStrategy:
    return DatabaseStrategy(access_tokens, lifetime_seconds=DAY)


backend = AuthenticationBackend(name="database", transport=transport, get_strategy=get_strategy)
users = FastAPIUsers(get_user_manager, [backend])
current_active_user = users.current_user(active=True)
app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth")


@app.get(ROUTE)
async def datasets(_: Annotated[User, Depends(current_active_user)]) -> dict[str, object]:
    return answer()


async def tokens(count: int) -> Prepared:
    issued = [AccessToken(token=secrets.token_urlsafe(), user_id=user.id) for user in await create_users(count)]
    async with sessions.begin() as session:
        session.add_all(issued)
    await engine.dispose()
    return Prepared([row.token for row in issued], revoke=revoking("POST", "/auth/logout"))
