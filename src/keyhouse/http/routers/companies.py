"""`/api/v1/companies/`: the companies that the principal may see, and their audit events."""

from typing import Annotated

from fastapi import APIRouter, Security

from keyhouse import audit
from keyhouse.db import Database
from keyhouse.directory import companies
from keyhouse.errors import not_found
from keyhouse.gate import Principal, guard
from keyhouse.http.fields import Cursor, Limit
from keyhouse.http.schemas import AuditEventAnswer, CompanyAnswer, Page, page

PREFIX = "/api/v1/companies"


def router(database: Database) -> APIRouter:
    """The routes of companies."""
    routes = APIRouter(prefix=PREFIX, tags=["companies"])

    @routes.get("/")
    async def list_companies(
        who: Annotated[Principal, Security(guard)], limit: Limit = 50, cursor: Cursor | None = None
    ) -> Page[CompanyAnswer]:
        """The companies that this token may see."""
        async with database.reading() as tx:
            found = await companies.list_visible(
                tx, who.user_id, company_id=who.company_id, limit=limit + 1, before=cursor
            )
        return Page[CompanyAnswer].model_validate(
            page([CompanyAnswer.of(company) for company in found], [company.id for company in found], limit)
        )

    @routes.get("/{company_id}/")
    async def get_company(company_id: str, who: Annotated[Principal, Security(guard)]) -> CompanyAnswer:
        """One company."""
        async with database.reading() as tx:
            company = await companies.get(tx, who.company_id or company_id)
        if company is None:
            raise not_found()
        return CompanyAnswer.of(company)

    @routes.get("/{company_id}/audit-events/")
    async def list_audit_events(
        company_id: str,
        who: Annotated[Principal, Security(guard, scopes=["audit:read"])],
        limit: Limit = 50,
        cursor: Cursor | None = None,
    ) -> Page[AuditEventAnswer]:
        """What happened to the company's keys, members and their sessions."""
        async with database.reading() as tx:
            found = await audit.list_events(tx, who.company_id or company_id, limit=limit + 1, before=cursor)
        return Page[AuditEventAnswer].model_validate(
            page([AuditEventAnswer.of(event) for event in found], [event.id for event in found], limit)
        )

    return routes
