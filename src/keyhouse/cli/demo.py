"""What `dev` needs to be of use at once, made once and kept: a secret, a company, an admin, a key, some datasets."""

import asyncio
import contextlib
import os
import secrets
import tempfile
from dataclasses import dataclass
from pathlib import Path

from pydantic import BaseModel, ConfigDict, SecretStr, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import AsyncSession

from keyhouse import datasets
from keyhouse.audit.events import OPERATOR
from keyhouse.cli.mistakes import Mistake
from keyhouse.cli.store import connected
from keyhouse.clock import SystemClock
from keyhouse.credentials import store
from keyhouse.credentials.store import Status
from keyhouse.datasets.models import Dataset
from keyhouse.db import Database, migrations
from keyhouse.db.base import new_id
from keyhouse.directory import companies, users
from keyhouse.directory.models import Company, User
from keyhouse.directory.passwords import PasswordHashing
from keyhouse.issuance.api_keys import ApiKeys
from keyhouse.issuance.expiry import Expiry
from keyhouse.revocation import Revocation, deaths
from keyhouse.scopes import Role, Vocabulary
from keyhouse.settings import Settings
from keyhouse.tokens import Codec, KeyRing
from keyhouse.tokens.codec import TokenError

DATABASE = "keyhouse.db"
KEPT = "dev.json"
_DATASETS = {
    "Customers": "Who bought something, and when",
    "Orders": "What was sold, and at what price",
    "Web traffic": "Visits by page and day",
}


class DevSettings(Settings):
    """Settings of what is handed over alone: neither the environment nor `.env` can break the first steps."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],  # noqa: ARG003 - the names are those of pydantic-settings
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


class Demo(BaseModel):
    """What is kept in `dev.json`, secrets in plain text: it is for a server that nobody else uses."""

    model_config = ConfigDict(frozen=True)

    secret_key: str
    email: str
    password: str
    company_id: str
    api_key: str = ""


@dataclass(frozen=True, slots=True)
class Prepared:
    """A demo that is in the database, and the settings of its server."""

    demo: Demo
    settings: Settings


def prepare(folder: Path) -> Prepared:
    """Makes in the data directory what is missing there, and leaves the rest as it is. Raises `Mistake`."""
    try:
        if not folder.exists():
            folder.mkdir(mode=0o700, parents=True)
        demo = _kept(folder / KEPT)
        url = URL.create("sqlite", database=str(folder.resolve() / DATABASE)).render_as_string()
        chosen = DevSettings(database_url=SecretStr(url), secret_key=SecretStr(demo.secret_key), log_format="console")
        token = asyncio.run(_furnish(chosen, demo, folder))
        if token != demo.api_key:
            demo = demo.model_copy(update={"api_key": token})
            _write(folder / KEPT, demo, replace=True)
    except OSError as error:
        raise Mistake(f"the data directory {folder}: {error.strerror}") from None
    return Prepared(demo, chosen)


def _kept(path: Path) -> Demo:
    """What the file holds, which is made if there is none. Of two that make it at once, one wins for both."""
    if not path.exists():
        made = Demo(
            secret_key=secrets.token_urlsafe(48),
            email="admin@example.com",
            password=secrets.token_urlsafe(15),
            company_id=new_id(),
        )
        _write(path, made, replace=False)
    try:
        return Demo.model_validate_json(path.read_bytes())
    except ValidationError:
        raise Mistake(f"{path} is damaged: remove {path.parent} to begin anew") from None


def _write(path: Path, demo: Demo, *, replace: bool) -> None:
    """Whole or not at all, for its owner alone."""
    descriptor, draft = tempfile.mkstemp(dir=path.parent)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(demo.model_dump_json(indent=2) + "\n")
            file.flush()
            os.fsync(file.fileno())
        if replace:
            Path(draft).replace(path)
        else:
            with contextlib.suppress(FileExistsError):
                path.hardlink_to(draft)
    finally:
        Path(draft).unlink(missing_ok=True)


async def _furnish(chosen: Settings, demo: Demo, folder: Path) -> str:
    """Brings the database to where the demo is in it, and answers the token of a key that lives."""
    async with connected(chosen) as database:
        await migrations.upgrade(database)
        user_id = await _user_id(database, demo, folder)
        return await _token(database, chosen, demo, user_id)


async def _user_id(database: Database, demo: Demo, folder: Path) -> str:
    """The id of the admin, whose password is the one that is kept, whatever it was changed to."""
    hashing = PasswordHashing()
    try:
        async with database.reading() as tx:
            user = await users.by_email(tx, demo.email)
        right = user is not None and (await hashing.verify(demo.password, user.password_hash))[0]
        password_hash = "" if right else await hashing.hash(demo.password)
    finally:
        hashing.close()
    async with database.writing() as tx:
        user = await users.by_email(tx, demo.email) or await _settle(tx, demo, password_hash, await database.now(tx))
        if await companies.role(tx, demo.company_id, user.id) is None:
            raise Mistake(f"{KEPT} and {DATABASE} do not belong together: remove {folder} to begin anew")
        await users.enable(tx, user.id)
    if not right and user.password_hash != password_hash:
        deed = deaths.password(user.id, password_hash, OPERATOR, keep_session=None)
        await Revocation(database, SystemClock()).die(deed)
    return user.id


async def _settle(tx: AsyncSession, demo: Demo, password_hash: str, now: int) -> User:
    """The company, its admin and its datasets, all of them or none."""
    tx.add(Company(id=demo.company_id, name="Demo", created_at=now))
    user = await users.create(tx, email=demo.email, password_hash=password_hash, at=now)
    await deaths.addition(demo.company_id, user.id, Role.ADMIN, OPERATOR)(tx, now)
    tx.add_all(
        Dataset(
            id=new_id(),
            company_id=demo.company_id,
            name=name,
            description=description,
            created_at=now,
            updated_at=now,
        )
        for name, description in _DATASETS.items()
    )
    return user


async def _token(database: Database, chosen: Settings, demo: Demo, user_id: str) -> str:
    """The token of the key that is kept, or of a new one if that is dead."""
    codec = Codec(KeyRing.from_settings(chosen), chosen.issuer, chosen.audience)
    if await _lives(database, codec, demo):
        return demo.api_key
    revocation = Revocation(database, SystemClock())
    minted = await ApiKeys(database, codec, Vocabulary(datasets.SCOPES), revocation, chosen.api_key_max_ttl).create(
        company_id=demo.company_id,
        user_id=user_id,
        role=Role.ADMIN,
        name="Demo",
        expiry=Expiry(within=chosen.api_key_max_ttl),
        scopes=None,
        origin=OPERATOR,
    )
    return minted.token


async def _lives(database: Database, codec: Codec, demo: Demo) -> bool:
    try:
        claims = codec.decode(demo.api_key)
    except TokenError:
        return False
    async with database.reading() as tx:
        record = await store.get(tx, demo.company_id, claims.jti)
        return record is not None and record.status(await database.now(tx)) is Status.ACTIVE
