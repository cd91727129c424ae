"""Bodies of requests and answers, as the OpenAPI document shows them."""

from collections.abc import Sequence
from typing import Any, Generic, Literal, Self, TypeVar

from pydantic import ValidationInfo, field_validator

from keyhouse.audit import Actor, AuditEvent
from keyhouse.credentials.store import KeyRecord, Status
from keyhouse.directory.models import Company
from keyhouse.http.fields import (
    LEFT_OUT,
    Answer,
    Body,
    Email,
    NewPassword,
    Secret,
    Timestamp,
    encode_cursor,
)
from keyhouse.http.validation import refusal

T = TypeVar("T")
CookieSession = Literal["cookie"]


class ErrorEntry(Answer):
    """One thing that is wrong."""

    code: str
    detail: str
    attr: str | None
    extra: dict[str, Any] | None


class ErrorEnvelope(Answer):
    """Every error answer."""

    type: Literal["validation_error", "client_error", "server_error"]
    errors: list[ErrorEntry]


class Page(Answer, Generic[T]):
    """One page of a list, newest first; `next_cursor` leads to the next one, if there is one."""

    results: Sequence[T]
    next_cursor: str | None


def page(items: Sequence[Any], ids: Sequence[str], limit: int) -> dict[str, Any]:
    """A page of at most `limit` items, of which one more was asked for to know whether there are more."""
    more = len(items) > limit
    return {"results": items[:limit], "next_cursor": encode_cursor(ids[limit - 1]) if more else None}


class LogInBody(Body):
    email: Email
    password: Secret
    session: CookieSession = LEFT_OUT


class RefreshBody(Body):
    """`refresh_token`, or nothing of it when it comes in the cookie of a session begun with `session: cookie`."""

    refresh_token: Secret = LEFT_OUT
    session: CookieSession = LEFT_OUT

    @field_validator("session")
    @classmethod
    def _not_both(cls, value: CookieSession, info: ValidationInfo) -> CookieSession:
        if info.data.get("refresh_token") is not None:
            raise refusal(("invalid", "Give either refresh_token or session, not both."))
        return value


class PasswordBody(Body):
    current_password: Secret
    new_password: NewPassword


class TokenAnswer(Answer):
    """RFC 6749 section 5.1, and how long the refresh token lives. Lifetimes are in seconds."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind, no secret
    expires_in: int
    refresh_token: str
    refresh_expires_in: int


class CookieSessionAnswer(Answer):
    """As `TokenAnswer`, for a browser: the refresh token is in a cookie."""

    access_token: str
    token_type: Literal["Bearer"] = "Bearer"  # noqa: S105 - a kind, no secret
    expires_in: int
    refresh_expires_in: int


class EmptyAnswer(Answer):
    """Nothing to tell but the status."""


class IntrospectionAnswer(Answer):
    """RFC 7662 section 2.2; an inactive token has `active` alone. Times are seconds since 1970."""

    active: bool
    scope: str | None = None
    sub: str | None = None
    company_id: str | None = None
    jti: str | None = None
    iat: int | None = None
    exp: int | None = None
    iss: str | None = None
    aud: str | None = None
    token_use: Literal["api_key"] | None = None


class UserAnswer(Answer):
    id: str
    email: str


class MyCompany(Answer):
    id: str
    name: str
    role: Literal["admin", "member"]


class CredentialAnswer(Answer):
    type: Literal["access_token", "api_key"]
    id: str
    name: str | None
    company_id: str | None
    scopes: list[str]
    expires_at: Timestamp


class MeAnswer(Answer):
    user: UserAnswer
    companies: list[MyCompany]
    credential: CredentialAnswer


class CompanyAnswer(Answer):
    id: str
    name: str
    created_at: Timestamp

    @classmethod
    def of(cls, company: Company) -> Self:
        return cls(id=company.id, name=company.name, created_at=company.created_at)


class ActorAnswer(Answer):
    type: str
    id: str | None

    @classmethod
    def of(cls, text: str | None) -> Self | None:
        if text is None:
            return None
        actor = Actor.parse(text)
        return cls(type=actor.kind, id=actor.id)


class AuditEventAnswer(Answer):
    id: str
    at: Timestamp
    action: str
    actor: ActorAnswer | None
    target: ActorAnswer | None
    ip: str | None
    request_id: str | None

    @classmethod
    def of(cls, event: AuditEvent) -> Self:
        return cls(
            id=event.id,
            at=event.at,
            action=event.action,
            actor=ActorAnswer.of(event.actor),
            target=ActorAnswer.of(event.target),
            ip=event.ip,
            request_id=event.request_id,
        )


class ApiKeyAnswer(Answer):
    """An API key. `hint` is the end of its token; a retired key reads as expired."""

    id: str
    name: str
    company_id: str
    created_by: UserAnswer
    scopes: list[str]
    hint: str
    status: Status
    created_at: Timestamp
    expires_at: Timestamp
    last_used_at: Timestamp | None
    revoked_at: Timestamp | None
    retires_at: Timestamp | None
    replaces: str | None
    replaced_by: str | None

    @classmethod
    def of(cls, record: KeyRecord, now: int, **more: Any) -> Self:
        key = record.key
        return cls(
            id=key.id,
            name=key.name,
            company_id=key.company_id,
            created_by=UserAnswer(id=key.created_by, email=record.creator_email),
            scopes=key.scopes.split(),
            hint=key.hint,
            status=record.status(now),
            created_at=key.created_at,
            expires_at=key.expires_at,
            last_used_at=key.last_used_at,
            revoked_at=key.revoked_at,
            retires_at=key.retires_at,
            replaces=key.replaces,
            replaced_by=record.replaced_by,
            **more,
        )


class NewApiKeyAnswer(ApiKeyAnswer):
    """A key that was just made: this once with its token."""

    token: str
