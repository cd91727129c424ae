"""The guard that one writes by hand: PyJWT checks the token, SQLAlchemy looks its row up, at every request.

Nothing is wasted on purpose: one dependency, one session, one select of the columns it needs by primary key. The
database is `DATABASE_URL`, an SQLite file in the working directory if there is none.
"""

import os
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

import jwt
from common import COMPANY, DAY, PATH, ROUTE, SECRET, Prepared, answer, revoking
from fastapi import Depends, FastAPI, HTTPException, Response
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from sqlalchemy import String, insert, select, update
from sqlalchemy.ext.asyncio import async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

DATABASE_URL = os.environ.get("DATABASE_URL", "sqlite+aiosqlite:///./handwritten.db")
engine = create_async_engine(DATABASE_URL)
sessions = async_sessionmaker(engine, expire_on_commit=False)
bearer = HTTPBearer(auto_error=False)


class Base(DeclarativeBase):
    """The metadata of the one table."""


class ApiKey(Base):
    __tablename__ = "api_keys"

    id: Mapped[str] = mapped_column(String(36), primary_key=True)
    company_id: Mapped[str] = mapped_column(String(36), index=True)
    expires_at: Mapped[int]
    revoked_at: Mapped[int | None]


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()


app = FastAPI(lifespan=lifespan)


async def guard(company_id: str, given: Annotated[HTTPAuthorizationCredentials | None, Depends(bearer)]) -> str:
    refused = HTTPException(401, "The provided token is expired or invalid.")
    if given is None:
        raise refused
    try:
        claims = jwt.decode(given.credentials, SECRET, algorithms=["HS256"], audience="bench", issuer="bench")
    except jwt.PyJWTError:
        raise refused from None
    async with sessions() as session:
        row = (
            await session.execute(
                select(ApiKey.company_id, ApiKey.expires_at, ApiKey.revoked_at).where(ApiKey.id == claims["jti"])
            )
        ).one_or_none()
    if row is None or row.revoked_at is not None or row.expires_at <= time.time():
        raise refused
    if row.company_id != company_id:
        raise HTTPException(404, "Not found.")
    return str(claims["jti"])


Guarded = Annotated[str, Depends(guard)]


@app.get(ROUTE)
async def datasets(_: Guarded) -> dict[str, object]:
    return answer()


@app.delete(ROUTE)
async def revoke(key: Guarded) -> Response:
    async with sessions.begin() as session:
        await session.execute(update(ApiKey).where(ApiKey.id == key).values(revoked_at=int(time.time())))
    return Response(status_code=204)


async def tokens(count: int) -> Prepared:
    now = int(time.time())
    keys = [str(uuid.uuid4()) for _ in range(count)]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
        rows = [{"id": key, "company_id": COMPANY, "expires_at": now + DAY, "revoked_at": None} for key in keys]
        for start in range(0, count, 1000):
            await connection.execute(insert(ApiKey), rows[start : start + 1000])
    await engine.dispose()
    claims = {"iss": "bench", "aud": "bench", "sub": "user", "iat": now, "exp": now + DAY}
    issued = [jwt.encode(claims | {"jti": key, "company_id": COMPANY}, SECRET, "HS256") for key in keys]
    return Prepared(issued, revoke=revoking("DELETE", PATH))
