"""keyshield's FastAPI set-up: SQLAlchemy repository, Argon2 hasher with a pepper, its own router.

One thing is left out to its advantage: the README creates missing tables at every request; here `tokens` does it once.
"""

from collections.abc import AsyncIterator, Callable
from typing import Annotated

from common import ROUTE, SECRET, Prepared, answer, revoking
from fastapi import APIRouter, Depends, FastAPI
from keyshield import ApiKey, ApiKeyService
from keyshield.api import create_api_keys_router, create_depends_api_key
from keyshield.hasher.argon2 import Argon2ApiKeyHasher
from keyshield.repositories.sql import SqlAlchemyApiKeyRepository
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine

engine = create_async_engine("sqlite+aiosqlite:///./keyshield.db")
sessions = async_sessionmaker(engine, expire_on_commit=False)
hasher = Argon2ApiKeyHasher(pepper=SECRET)
MakeService = Callable[[SqlAlchemyApiKeyRepository], ApiKeyService]


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session, session.begin():
        yield session


def create(make_service: MakeService) -> FastAPI:
    async def get_service(session: Annotated[AsyncSession, Depends(get_session)]) -> ApiKeyService:
        return make_service(SqlAlchemyApiKeyRepository(session))

    app = FastAPI()
    security = create_depends_api_key(get_service)

    @app.get(ROUTE)
    async def datasets(_: Annotated[ApiKey, Depends(security)]) -> dict[str, object]:
        return answer()

    app.include_router(create_api_keys_router(get_service, router=APIRouter(prefix="/api-keys")))
    return app


async def tokens(count: int) -> Prepared:
    async with sessions.begin() as session:
        repository = SqlAlchemyApiKeyRepository(session)
        await repository.ensure_table(async_engine=engine)
        service = ApiKeyService(repo=repository, hasher=hasher)
        created = [await service.create(name=f"key{n}") for n in range(count)]
    await engine.dispose()
    return Prepared([key for _, key in created], revoke=revoking("DELETE", f"/api-keys/{created[0][0].id_}"))
