"""Tables of credentials, and of the log of their deaths."""

from sqlalchemy import BigInteger, CheckConstraint, ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from keyhouse.db.base import Base, Id, Seconds


class ApiKey(Base):
    """An API key: all that is known of it but the token itself, which is never stored.

    `lifetime` is how many seconds it was made for: a key that rotates itself makes no longer one. `overlap` is how
    many seconds it lives on once its successor is used; `used_at` is when the key itself was first accepted;
    `denied_at` when an audit event last told that it was tried after its death.
    """

    __tablename__ = "api_keys"
    __table_args__ = (
        Index(None, "company_id", "id"),
        Index(None, "created_by"),
        Index(None, "expires_at"),
    )

    id: Mapped[Id] = mapped_column(primary_key=True)
    company_id: Mapped[Id] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    created_by: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    scopes: Mapped[str] = mapped_column(Text)
    hint: Mapped[str] = mapped_column(String(4))
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds]
    lifetime: Mapped[Seconds]
    last_used_at: Mapped[Seconds | None]
    denied_at: Mapped[Seconds | None]
    revoked_at: Mapped[Seconds | None]
    used_at: Mapped[Seconds | None]
    retires_at: Mapped[Seconds | None]
    overlap: Mapped[Seconds | None]
    replaces: Mapped[Id | None] = mapped_column(ForeignKey("api_keys.id", ondelete="SET NULL"), unique=True)
    made_by_key: Mapped[bool] = mapped_column(default=False)


class Session(Base):
    """One log-in: what an access token (`sid`) and a chain of refresh tokens stand on."""

    __tablename__ = "sessions"
    __table_args__ = (Index(None, "user_id"), Index(None, "expires_at"))

    id: Mapped[Id] = mapped_column(primary_key=True)
    user_id: Mapped[Id] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"))
    created_at: Mapped[Seconds]
    expires_at: Mapped[Seconds]
    ended_at: Mapped[Seconds | None]


class RefreshToken(Base):
    """One link of a session's chain (RFC 9700 section 4.14.2), known by the SHA-256 of its text.

    `uses` counts how often it was exchanged; `superseded` says that its sibling was exchanged instead.
    """

    __tablename__ = "refresh_tokens"
    __table_args__ = (Index(None, "session_id"), Index(None, "parent_id"))

    id: Mapped[Id] = mapped_column(primary_key=True)
    session_id: Mapped[Id] = mapped_column(ForeignKey("sessions.id", ondelete="CASCADE"))
    parent_id: Mapped[Id | None]
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    expires_at: Mapped[Seconds]
    uses: Mapped[int] = mapped_column(default=0)
    used_at: Mapped[Seconds | None]
    superseded: Mapped[bool] = mapped_column(default=False)


class Change(Base):
    """One entry of the change log: a credential, or all of a user's, may have died."""

    __tablename__ = "changes"
    __table_args__ = (Index(None, "at"),)

    seq: Mapped[int] = mapped_column(BigInteger, primary_key=True, autoincrement=False)
    kind: Mapped[str] = mapped_column(String(10))
    subject: Mapped[Id]
    at: Mapped[Seconds]


class ChangeHead(Base):
    """The one row that numbers the log, gap-free in commit order because every writer holds it to its commit.

    `bound_ms` is for how long a worker trusts what it was told; `former_bound_ms` is the bound before, while some
    worker may still trust that long. All entries up to `pruned_seq` are gone.
    """

    __tablename__ = "change_head"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    seq: Mapped[int] = mapped_column(BigInteger)
    pruned_seq: Mapped[int] = mapped_column(BigInteger)
    bound_ms: Mapped[int]
    former_bound_ms: Mapped[int | None]
