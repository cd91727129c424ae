"""Makes the tokens of `KeyhouseTokens`, with the rooms of a server that it owns: database, signing key and all."""

import asyncio
import base64
import json
import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, replace

from keyhouse.app import Keyhouse
from keyhouse.audit.events import OPERATOR
from keyhouse.clock import SystemClock
from keyhouse.credentials import store
from keyhouse.credentials.models import ApiKey
from keyhouse.db.base import new_id
from keyhouse.directory import argon2id, companies, users
from keyhouse.issuance.api_keys import ApiKeys
from keyhouse.issuance.expiry import Expiry
from keyhouse.issuance.sessions import Sessions
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Role
from keyhouse.tokens import Claims, Codec, KeyRing, TokenUse, keys

_DAY = 86400
_READ = ":read"
_MALFORMED = "this-is-no-token"


@dataclass(frozen=True, slots=True)
class Admin:
    """A company, and its admin."""

    company_id: str
    user_id: str
    email: str
    password: str


async def settle(keyhouse: Keyhouse, name: str, email: str) -> Admin:
    """A new company with an admin, whose password nobody could guess."""
    password = secrets.token_urlsafe(15)
    # Here: nobody asks anything of this process yet, and to start another one takes longer than a hash.
    password_hash = await asyncio.to_thread(argon2id.CONTEXT.hash, password)
    async with keyhouse.database.writing() as tx:
        now = await keyhouse.database.now(tx)
        company = await companies.create(tx, name=name, at=now)
        user = await users.create(tx, email=email, password_hash=password_hash, at=now)
        await deaths.addition(company.id, user.id, Role.ADMIN, OPERATOR)(tx, now)
    return Admin(company.id, user.id, email, password)


class Mint:
    """One method for each kind; `token` finds it by its name."""

    def __init__(self, keyhouse: Keyhouse, admin: Admin, other: Admin) -> None:
        self._database = keyhouse.database
        self._codec = keyhouse.codec
        self._vocabulary = keyhouse.gate.vocabulary
        self._revocation = Revocation(keyhouse.database, SystemClock())
        self._api_keys = ApiKeys(
            keyhouse.database, keyhouse.codec, self._vocabulary, self._revocation, keyhouse.settings.api_key_max_ttl
        )
        self._sessions = Sessions(
            keyhouse.database, keyhouse.codec, keyhouse.settings, self._vocabulary, self._revocation
        )
        self.admin = admin
        self._other = other
        self._kinds: Mapping[str, Callable[[], Awaitable[str]]] = {
            "valid": self._valid,
            "access": self._access,
            "read_only": self._read_only,
            "other_company": self._other_company,
            "expired": self._expired,
            "revoked": self._revoked,
            "not_yet_valid": self._not_yet_valid,
            "wrong_signature": self._wrong_signature,
            "alg_none": self._alg_none,
            "wrong_audience": self._wrong_audience,
            "malformed": self._malformed,
        }

    async def token(self, kind: str) -> str:
        """Raises KeyError for a kind that there is not."""
        return await self._kinds[kind]()

    async def _valid(self) -> str:
        return await self._key(self.admin)

    async def _access(self) -> str:
        async with self._database.writing() as tx:
            now = await self._database.now(tx)
            return (await self._sessions.begin(tx, self.admin.user_id, now, OPERATOR)).access_token

    async def _read_only(self) -> str:
        scopes = [scope for scope in self._vocabulary.resource if scope.endswith(_READ)]
        return await self._key(self.admin, scopes)

    async def _other_company(self) -> str:
        return await self._key(self._other)

    async def _expired(self) -> str:
        """The row of a key as it would stand, had it been made yesterday for an hour."""
        async with self._database.writing() as tx:
            now = await self._database.now(tx)
            claims = Claims(
                iss=self._codec.issuer,
                aud=self._codec.audience,
                sub=self.admin.user_id,
                jti=new_id(),
                iat=now - _DAY,
                exp=now - _DAY + 3600,
                token_use=TokenUse.API_KEY,
                scope=" ".join(self._vocabulary.resource),
                company_id=self.admin.company_id,
            )
            token = self._codec.encode(claims)
            key = ApiKey(
                id=claims.jti,
                company_id=self.admin.company_id,
                created_by=claims.sub,
                name="expired",
                scopes=claims.scope,
                hint=token[-4:],
                created_at=claims.iat,
                expires_at=claims.exp,
                lifetime=claims.exp - claims.iat,
                made_by_key=False,
            )
            await store.add(tx, key)
        return token

    async def _revoked(self) -> str:
        token = await self._valid()
        key_id = self._codec.decode(token).jti
        await self._revocation.die(deaths.api_key(self.admin.company_id, key_id, OPERATOR))
        return token

    async def _not_yet_valid(self) -> str:
        claims = self._codec.decode(await self._valid())
        return self._codec.encode(replace(claims, nbf=claims.iat + _DAY))

    async def _wrong_signature(self) -> str:
        claims = self._codec.decode(await self._valid())
        own = self._codec.keys.signing
        stranger = (
            keys.secret_key(secrets.token_urlsafe(48))
            if own.algorithm == "HS256"
            else keys.key_from_pem(keys.generate_pem(own.algorithm).encode())
        )
        # It claims to be by the server's key, or the name of the key would be what is wrong.
        forged = KeyRing.of(replace(stranger, kid=own.kid))
        return Codec(forged, claims.iss, claims.aud).encode(claims)

    async def _alg_none(self) -> str:
        payload = (await self._valid()).split(".")[1]
        header = json.dumps({"alg": "none", "kid": self._codec.keys.signing.kid, "typ": "JWT"}, separators=(",", ":"))
        return f"{base64.urlsafe_b64encode(header.encode()).rstrip(b'=').decode()}.{payload}."

    async def _wrong_audience(self) -> str:
        claims = self._codec.decode(await self._valid())
        return self._codec.encode(replace(claims, aud="somebody-else"))

    async def _malformed(self) -> str:
        return _MALFORMED

    async def _key(self, admin: Admin, scopes: list[str] | None = None) -> str:
        minted = await self._api_keys.create(
            company_id=admin.company_id,
            user_id=admin.user_id,
            role=Role.ADMIN,
            name="test",
            expiry=Expiry(within=_DAY),
            scopes=scopes,
            origin=OPERATOR,
        )
        return minted.token
