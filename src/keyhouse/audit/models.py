"""The table of audit events."""

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from keyhouse.db.base import Base, Id, Seconds


class AuditEvent(Base):
    """Something that happened to a company's keys, members or their sessions. Never updated."""

    __tablename__ = "audit_events"
    __table_args__ = (Index(None, "company_id", "id"), Index(None, "at"))

    id: Mapped[Id] = mapped_column(primary_key=True)
    company_id: Mapped[Id] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    at: Mapped[Seconds]
    action: Mapped[str] = mapped_column(String(30))
    actor: Mapped[str | None] = mapped_column(String(50))
    target: Mapped[str | None] = mapped_column(String(50))
    ip: Mapped[str | None] = mapped_column(String(45))
    request_id: Mapped[str | None] = mapped_column(String(128))
