"""API keys: create, list, rename, rotate, revoke. The token is handed out once and never stored."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse import audit
from keyhouse.audit import Actor, Origin
from keyhouse.credentials import store
from keyhouse.credentials.models import ApiKey
from keyhouse.credentials.store import KeyRecord, Status
from keyhouse.db import Database
from keyhouse.db.base import new_id
from keyhouse.errors import Failure, failure, not_found, permission_denied
from keyhouse.issuance.expiry import Expiry
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Role, Vocabulary
from keyhouse.tokens import Claims, Codec, TokenUse

DEFAULT_OVERLAP = 3600


@dataclass(frozen=True, slots=True)
class Minted:
    """A key and, this once, its token."""

    record: KeyRecord
    token: str
    now: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Keys, and the moment (seconds since 1970, by the database's clock) at which they stood so."""

    records: Sequence[KeyRecord]
    now: int


class ApiKeys:
    """The life of API keys. `created_by` restricts any of it to the keys of one user: what a member may see."""

    def __init__(
        self, database: Database, codec: Codec, vocabulary: Vocabulary, revocation: Revocation, max_ttl: int
    ) -> None:
        self._database = database
        self._codec = codec
        self._vocabulary = vocabulary
        self._revocation = revocation
        self._max_ttl = max_ttl

    async def create(
        self,
        *,
        company_id: str,
        user_id: str,
        role: str,
        name: str,
        expiry: Expiry,
        scopes: Iterable[str] | None,
        origin: Origin,
    ) -> Minted:
        """A new key of the user. Without scopes it gets every resource scope and no management scope.

        Raises `permission_denied` for a scope that the role can't give, 400 for an expiry out of bounds.
        """
        given = set(self._vocabulary.resource if scopes is None else scopes)
        if not given <= self._vocabulary.allowed(role):
            raise permission_denied({"required_role": Role.ADMIN.value}, cause="scope of another role")
        async with self._database.writing() as tx:
            now = await self._database.now(tx)
            expires_at = expiry.resolve(now, self._max_ttl)
            key, token = self._mint(company_id, user_id, name, self._vocabulary.ordered(given), now, expires_at)
            await store.add(tx, key)
            await self._tell(tx, now, "api_key.created", key, origin)
            return Minted(await self._get(tx, company_id, key.id), token, now)

    async def list(
        self,
        company_id: str,
        *,
        created_by: str | None,
        statuses: Collection[Status],
        limit: int,
        before: str | None,
    ) -> Listed:
        """Newest first."""
        async with self._database.reading() as tx:
            now = await self._database.now(tx)
            return Listed(
                await store.list_keys(
                    tx,
                    company_id,
                    created_by=created_by,
                    statuses=statuses,
                    now=now,
                    limit=limit,
                    before=before,
                ),
                now,
            )

    async def get(self, company_id: str, key_id: str, *, created_by: str | None) -> Listed:
        """The one key. Raises `not_found`."""
        async with self._database.reading() as tx:
            now = await self._database.now(tx)
            return Listed([await self._get(tx, company_id, key_id, created_by=created_by)], now)

    async def rename(
        self, company_id: str, key_id: str, name: str, *, created_by: str | None, origin: Origin
    ) -> Listed:
        """Raises `not_found`."""
        async with self._database.writing() as tx:
            now = await self._database.now(tx)
            if not await store.rename(tx, company_id, key_id, name, created_by=created_by):
                raise not_found()
            record = await self._get(tx, company_id, key_id)
            await self._tell(tx, now, "api_key.renamed", record.key, origin)
            return Listed([record], now)

    async def revoke(self, company_id: str, key_id: str, *, created_by: str | None, origin: Origin) -> None:
        """Returns when the key is dead everywhere. Raises `not_found`."""
        await self._revocation.die(deaths.api_key(company_id, key_id, origin, created_by=created_by))

    async def rotate(
        self,
        company_id: str,
        key_id: str,
        *,
        expiry: Expiry,
        overlap: int,
        created_by: str | None,
        by_itself: bool,
        origin: Origin,
    ) -> Minted:
        """A successor of an active key, which stays alive until `overlap` seconds after the successor is first used.

        A key that rotates itself makes none that lives longer than it was made for. Raises `not_found`; `conflict`
        for a key that is not active or was rotated.
        """
        try:
            async with self._database.writing() as tx:
                now = await self._database.now(tx)
                former = (await self._get(tx, company_id, key_id, created_by=created_by)).key
                longest = min(self._max_ttl, former.lifetime) if by_itself else self._max_ttl
                expires_at = expiry.resolve(now, longest)
                if not await store.begin_rotation(tx, company_id, key_id, overlap=overlap, now=now):
                    raise _cannot_rotate(await self._get(tx, company_id, key_id), now)
                key, token = self._mint(
                    company_id, former.created_by, former.name, former.scopes.split(), now, expires_at
                )
                key.replaces, key.made_by_key = key_id, by_itself
                await store.add(tx, key)
                await self._tell(tx, now, "api_key.rotated", former, origin)
                return Minted(await self._get(tx, company_id, key.id), token, now)
        except IntegrityError:
            raise failure("conflict", detail="The key was rotated already.") from None

    def _mint(
        self, company_id: str, user_id: str, name: str, scopes: Sequence[str], now: int, expires_at: int
    ) -> tuple[ApiKey, str]:
        claims = Claims(
            iss=self._codec.issuer,
            aud=self._codec.audience,
            sub=user_id,
            jti=new_id(),
            iat=now,
            exp=expires_at,
            token_use=TokenUse.API_KEY,
            scope=" ".join(scopes),
            company_id=company_id,
        )
        token = self._codec.encode(claims)
        key = ApiKey(
            id=claims.jti,
            company_id=company_id,
            created_by=user_id,
            name=name,
            scopes=claims.scope,
            hint=token[-4:],
            created_at=now,
            expires_at=expires_at,
            lifetime=expires_at - now,
            made_by_key=False,
        )
        return key, token

    @staticmethod
    async def _get(tx: AsyncSession, company_id: str, key_id: str, *, created_by: str | None = None) -> KeyRecord:
        record = await store.get(tx, company_id, key_id, created_by=created_by)
        if record is None:
            raise not_found()
        return record

    @staticmethod
    async def _tell(tx: AsyncSession, now: int, action: str, key: ApiKey, origin: Origin) -> None:
        await audit.record(
            tx,
            at=now,
            companies=[key.company_id],
            action=action,
            target=Actor("api_key", key.id),
            origin=origin,
        )


def _cannot_rotate(record: KeyRecord, now: int) -> Failure:
    status = record.status(now)
    why = "The key was rotated already." if status is Status.ACTIVE else f"The key is {status.value}."
    return failure("conflict", detail=why)
