"""fastapi-users with its JWT strategy: the token is checked, then the user is loaded. Logging out ends nothing."""

from typing import Annotated

from common import DAY, ROUTE, SECRET, Prepared, answer, revoking
from fastapi import Depends, FastAPI
from fastapi_users import FastAPIUsers
from fastapi_users.authentication import AuthenticationBackend, JWTStrategy
from fastapi_users_base import User, create_users, engine, get_user_manager, lifespan, transport


def get_strategy() -> JWTStrategy:
    return JWTStrategy(secret=SECRET, lifetime_seconds=DAY)


backend = AuthenticationBackend(name="jwt", transport=transport, get_strategy=get_strategy)
users = FastAPIUsers(get_user_manager, [backend])
current_active_user = users.current_user(active=True)
app = FastAPI(lifespan=lifespan)
app.include_router(users.get_auth_router(backend), prefix="/auth")


@app.get(ROUTE)
async def datasets(_: Annotated[User, Depends(current_active_user)]) -> dict[str, object]:
    return answer()


async def tokens(count: int) -> Prepared:
    issued = [await get_strategy().write_token(user) for user in await create_users(count)]
    await engine.dispose()
    return Prepared(issued, revoke=revoking("POST", "/auth/logout"))
