"""The table of datasets, the sample resource."""

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from keyhouse.db.base import Base, Id, Seconds


class Dataset(Base):
    """Something of a company's, worth protecting."""

    __tablename__ = "datasets"
    __table_args__ = (Index(None, "company_id", "id"),)

    id: Mapped[Id] = mapped_column(primary_key=True)
    company_id: Mapped[Id] = mapped_column(ForeignKey("companies.id", ondelete="CASCADE"))
    name: Mapped[str] = mapped_column(String(100))
    description: Mapped[str] = mapped_column(Text)
    created_at: Mapped[Seconds]
    updated_at: Mapped[Seconds]
