"""Tables of companies, users and memberships."""

from sqlalchemy import CheckConstraint, ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from keyhouse.db.base import Base, Id, Seconds


class Company(Base):
    """A tenant: what a key and a path belong to."""

    __tablename__ = "companies"

    id: Mapped[Id] = mapped_column(primary_key=True)
    name: Mapped[str] = mapped_column(String(100))
    created_at: Mapped[Seconds]


class User(Base):
    """Somebody who can log in. `email` is in canonical form; `disabled_at` is set while they may not; `denied_at`
    is when an audit event last told of a refused log-in.
    """

    __tablename__ = "users"

    id: Mapped[Id] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(254), unique=True)
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[Seconds]
    denied_at: Mapped[Seconds | None]
    disabled_at: Mapped[Seconds | None]


class Membership(Base):
    """What a user is in a company."""

    __tablename__ = "memberships"
    __table_args__ = (
        CheckConstraint("role IN ('admin', 'member')", name="role"),
        Index(None, "company_id"),
    )

    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), primary_key=True)
    company_id: Mapped[Id] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"), primary_key=True)
    role: Mapped[str] = mapped_column(String(10))
    created_at: Mapped[Seconds]
