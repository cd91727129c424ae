"""Who a request speaks for."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal


@dataclass(frozen=True, slots=True)
class Principal:
    """The user behind a live credential, in the company of the path.

    `company_id` and `role` are None only for an access token on a path without a company. `credential_id` is the id of
    the API key, or of the access token's session. `scopes` are those that it has here and now: what the credential
    was given and the user's role allows. `expires_at` is its end by the database's clock, in UTC.
    """

    user_id: str
    company_id: str | None
    role: str | None
    credential_id: str
    credential_type: Literal["access_token", "api_key"]
    scopes: frozenset[str]
    expires_at: datetime

    @property
    def is_admin(self) -> bool:
        return self.role == "admin"


def moment(seconds: int) -> datetime:
    """Seconds since 1970 as an aware time in UTC."""
    return datetime.fromtimestamp(seconds, UTC)
