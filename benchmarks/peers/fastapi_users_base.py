"""What both strategies of fastapi-users share: the SQLAlchemy adapter, the user manager, the tables."""

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Annotated

from common import SECRET
from fastapi import Depends, FastAPI
from fastapi_users import BaseUserManager, UUIDIDMixin
from fastapi_users.authentication import BearerTransport
from fastapi_users_db_sqlalchemy import SQLAlchemyBaseUserTableUUID, SQLAlchemyUserDatabase
from fastapi_users_db_sqlalchemy.access_token import (
    SQLAlchemyAccessTokenDatabase,
    SQLAlchemyBaseAccessTokenTableUUID,
)
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from sqlalchemy.orm import DeclarativeBase


class Base(DeclarativeBase):
    """The metadata of the tables."""


class User(SQLAlchemyBaseUserTableUUID, Base):
    """The documentation's user, without fields of one's own."""


class AccessToken(SQLAlchemyBaseAccessTokenTableUUID, Base):
    """Used by the database strategy alone."""


engine = create_async_engine("sqlite+aiosqlite:///./fastapi-users.db")
sessions = async_sessionmaker(engine, expire_on_commit=False)
transport = BearerTransport(tokenUrl="auth/login")


async def get_session() -> AsyncIterator[AsyncSession]:
    async with sessions() as session:
        yield session


async def get_user_db(
    session: Annotated[AsyncSession, Depends(get_session)],
) -> AsyncIterator[SQLAlchemyUserDatabase[User, uuid.UUID]]:
    yield SQLAlchemyUserDatabase(session, User)


async def get_access_token_db(
    session: Annotated[AsyncSession, Depends(get_session)],
) -> AsyncIterator[SQLAlchemyAccessTokenDatabase[AccessToken]]:
    yield SQLAlchemyAccessTokenDatabase(session, AccessToken)


class UserManager(UUIDIDMixin, BaseUserManager[User, uuid.UUID]):
    reset_password_token_secret = SECRET
    verification_token_secret = SECRET


async def get_user_manager(
    user_db: Annotated[SQLAlchemyUserDatabase[User, uuid.UUID], Depends(get_user_db)],
) -> AsyncIterator[UserManager]:
    yield UserManager(user_db)


async def create_users(count: int) -> list[User]:
    users = [
        User(id=uuid.uuid4(), email=f"user{n}@example.com", hashed_password="-", is_active=True) for n in range(count)
    ]
    async with engine.begin() as connection:
        await connection.run_sync(Base.metadata.drop_all)
        await connection.run_sync(Base.metadata.create_all)
    async with sessions.begin() as session:
        session.add_all(users)
    return users


@asynccontextmanager
async def lifespan(_: FastAPI) -> AsyncIterator[None]:
    yield
    await engine.dispose()
