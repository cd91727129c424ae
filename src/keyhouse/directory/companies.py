"""Companies, and who is what in them."""

from collections.abc import Sequence

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse.db.base import new_id, table
from keyhouse.directory.models import Company, Membership

# Made once, for log-ins.
_MEMBERSHIPS = table(Membership).c
_COMPANY_IDS = select(_MEMBERSHIPS.company_id).where(_MEMBERSHIPS.user_id == bindparam("user_id"))


async def create(session: AsyncSession, *, name: str, at: int) -> Company:
    company = Company(id=new_id(), name=name, created_at=at)
    session.add(company)
    await session.flush()
    return company


async def get(session: AsyncSession, company_id: str) -> Company | None:
    return await session.get(Company, company_id)


async def list_visible(
    session: AsyncSession, user_id: str, *, company_id: str | None, limit: int, before: str | None
) -> Sequence[Company]:
    """The companies of a user, or of these the one given, newest first, from before the given id."""
    query = select(Company).join(Membership, Membership.company_id == Company.id).where(Membership.user_id == user_id)
    if company_id is not None:
        query = query.where(Company.id == company_id)
    if before is not None:
        query = query.where(Company.id < before)
    return (await session.scalars(query.order_by(Company.id.desc()).limit(limit))).all()


async def memberships(session: AsyncSession, user_id: str) -> Sequence[tuple[Company, str]]:
    """The user's companies with their role there, by name."""
    query = (
        select(Company, Membership.role)
        .join(Membership, Membership.company_id == Company.id)
        .where(Membership.user_id == user_id)
        .order_by(Company.name, Company.id)
    )
    return [(company, role) for company, role in (await session.execute(query)).all()]


async def company_ids(session: AsyncSession, user_id: str) -> Sequence[str]:
    return (await session.scalars(_COMPANY_IDS, {"user_id": user_id})).all()


async def role(session: AsyncSession, company_id: str, user_id: str) -> str | None:
    membership = await session.get(Membership, (user_id, company_id))
    return None if membership is None else membership.role


async def add_member(session: AsyncSession, *, company_id: str, user_id: str, role: str, at: int) -> None:
    """Raises IntegrityError when the user is a member already."""
    session.add(Membership(company_id=company_id, user_id=user_id, role=role, created_at=at))
    await session.flush()


async def set_role(session: AsyncSession, *, company_id: str, user_id: str, role: str) -> bool:
    """False when the user is no member."""
    result = await session.execute(
        update(Membership)
        .where(Membership.company_id == company_id, Membership.user_id == user_id)
        .values(role=role)
        .returning(Membership.user_id)
    )
    return result.first() is not None


async def remove_member(session: AsyncSession, *, company_id: str, user_id: str) -> bool:
    """False when the user is no member."""
    result = await session.execute(
        delete(Membership)
        .where(Membership.company_id == company_id, Membership.user_id == user_id)
        .returning(Membership.user_id)
    )
    return result.first() is not None
