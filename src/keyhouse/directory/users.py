"""Users and their canonical e-mail addresses."""

import unicodedata
from dataclasses import dataclass, field

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.db.base import new_id, table
from keyhouse.directory.models import User

MAX_EMAIL_CHARACTERS = 254


@dataclass(frozen=True, slots=True)
class Account:
    """Of a user, what a log-in goes by."""

    id: str
    password_hash: str = field(repr=False)
    disabled_at: int | None


# Made once: a storm of log-ins would make them again and again, while guarded requests wait.
_USERS = table(User).c
_ACCOUNT = select(_USERS.id, _USERS.password_hash, _USERS.disabled_at)
_BY_EMAIL = _ACCOUNT.where(_USERS.email == bindparam("email"))
_LOCKED = _ACCOUNT.where(_USERS.id == bindparam("user_id")).with_for_update()


def canonical_email(text: str) -> str:
    """The one form in which an address is stored and looked up: NFKC, no outer spaces, lower case, the domain in
    Unicode. Raises ValueError for what is no address.
    """
    text = unicodedata.normalize("NFKC", text).strip()
    if len(text) > MAX_EMAIL_CHARACTERS:
        raise ValueError("too long")
    try:
        address = validate_email(text, check_deliverability=False, test_environment=True).normalized
    except EmailNotValidError:
        raise ValueError("not an address") from None
    # Once more: there are letters that compose in lower case alone.
    return unicodedata.normalize("NFKC", address.lower())


async def create(session: AsyncSession, *, email: str, password_hash: str, at: int) -> User:
    """A new user. `email` is canonical; raises IntegrityError when there is one already."""
    user = User(id=new_id(), email=email, password_hash=password_hash, created_at=at)
    session.add(user)
    await session.flush()
    return user


async def by_email(session: AsyncSession, email: str) -> User | None:
    return (await session.scalars(select(User).where(User.email == email))).one_or_none()


async def by_id(session: AsyncSession, user_id: str) -> User | None:
    return await session.get(User, user_id)


async def account(session: AsyncSession, email: str) -> Account | None:
    """Whose log-in it is. `email` is canonical."""
    row = (await session.execute(_BY_EMAIL, {"email": email})).one_or_none()
    return None if row is None else Account(*row)


async def locked(session: AsyncSession, user_id: str) -> Account | None:
    """The account as of now, which nobody else changes until the transaction ends."""
    row = (await session.execute(_LOCKED, {"user_id": user_id})).one_or_none()
    return None if row is None else Account(*row)


async def set_password_hash(
    session: AsyncSession, user_id: str, password_hash: str, *, former: str | None = None
) -> bool:
    """False when there is no such user, or, with `former`, when that is not their hash any more."""
    query = update(User).where(User.id == user_id)
    if former is not None:
        query = query.where(User.password_hash == former)
    result = await session.execute(query.values(password_hash=password_hash).returning(User.id))
    return result.first() is not None


async def disable(session: AsyncSession, user_id: str, at: int) -> None:
    """Disables a user; one who is disabled stays so since then."""
    await session.execute(update(User).where(User.id == user_id, User.disabled_at.is_(None)).values(disabled_at=at))


async def enable(session: AsyncSession, user_id: str) -> None:
    await session.execute(update(User).where(User.id == user_id).values(disabled_at=None))


async def denied_lately(session: AsyncSession, user_id: str, at: int, *, pause: int) -> bool:
    """Marks a refused log-in; True if the last mark is less than `pause` seconds old. One of several at once wins."""
    result = await session.execute(
        update(User)
        .where(User.id == user_id, (User.denied_at.is_(None)) | (User.denied_at <= at - pause))
        .values(denied_at=at)
        .returning(User.id)
    )
    return result.first() is None
