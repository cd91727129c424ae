"""A service with a resource of its own: reports, readable and writable by scope."""

from typing import Annotated

from fastapi import APIRouter, Security
from pydantic import BaseModel

from keyhouse import Principal, create_app, guard

router = APIRouter(prefix="/api/v1/companies/{company_id}/reports", tags=["reports"])
Reader = Annotated[Principal, Security(guard, scopes=["reports:read"])]
Writer = Annotated[Principal, Security(guard, scopes=["reports:write"])]

_reports: dict[str, list[str]] = {}


class Report(BaseModel):
    title: str


@router.get("/")
async def list_reports(who: Reader) -> list[Report]:
    """The company is the path's and the principal's: the guard has made sure of both."""
    return [Report(title=title) for title in _reports.get(who.company_id or "", [])]


@router.post("/", status_code=201)
async def add_report(report: Report, who: Writer) -> Report:
    _reports.setdefault(who.company_id or "", []).append(report.title)
    return report


app = create_app(
    routers=[router],
    scopes={"reports:read": "Read reports", "reports:write": "Write reports"},
)
