"""`kill -9` of a server in the middle of its writes, and what its database must look like then."""

import asyncio
import random
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import select, text

from keyhouse.audit import AuditEvent
from keyhouse.credentials.models import ApiKey, Change, ChangeHead
from keyhouse.db.base import new_id
from support.scenes import Stage, stage_of
from support.servers import Server, Servers
from support.wire import Connection, request

_KINDS = ("create", "rotate", "revoke")
_HANDS = 2
# A server is killed so many answers of one kind, and so many seconds after them, into its life.
_ANSWERS = 3
_SECONDS = 0.02
_PATIENCE = 30.0


@dataclass
class Ledger:
    """What was asked of servers that were killed, and what they had answered by then."""

    created: dict[str, str] = field(default_factory=dict)
    tokens: dict[str, str] = field(default_factory=dict)
    rotated: set[str] = field(default_factory=set)
    revoked: set[str] = field(default_factory=set)
    tried: Counter[str] = field(default_factory=Counter)

    def answered(self, kind: str) -> int:
        return len({"create": self.created, "rotate": self.rotated, "revoke": self.revoked}[kind])


class Hand:
    """One client of a server that will be killed: it creates keys, and rotates or revokes each."""

    def __init__(self, stage: Stage, ledger: Ledger, kind: str) -> None:
        self._path = f"/api/v1/companies/{stage.company_id}/api-keys/"
        self._boss = stage.boss
        self._ledger = ledger
        self._kind = kind

    async def work(self, server: Server) -> None:
        """Until the server is gone."""
        try:
            connection = await Connection.to(server.host, server.port)
            while True:
                await self._once(connection)
        except OSError:
            pass

    async def _once(self, connection: Connection) -> None:
        ledger, name = self._ledger, new_id()
        ledger.tried["create"] += 1
        body = {"name": name, "expires_in": 3600}
        answer = await connection.ask(request("POST", self._path, self._boss, body=body))
        _must_be(answer.status, 201)
        made = answer.json()
        ledger.created[name] = made["id"]
        ledger.tokens[made["id"]] = made["token"]
        if self._kind == "create":
            return
        ledger.tried[self._kind] += 1
        if self._kind == "rotate":
            path = f"{self._path}{made['id']}/rotate/"
            answer = await connection.ask(request("POST", path, self._boss, body={"expires_in": 3600}))
            _must_be(answer.status, 201)
            ledger.rotated.add(made["id"])
        else:
            answer = await connection.ask(request("DELETE", f"{self._path}{made['id']}/", self._boss))
            _must_be(answer.status, 204)
            ledger.revoked.add(made["id"])


def _must_be(status: int, expected: int) -> None:
    if status != expected:
        raise AssertionError(f"answered {status}, not {expected}")


async def kill_again_and_again(
    database_url: str, servers: Servers, times: int, progress: Callable[[int, Ledger], None] = lambda *_: None
) -> Ledger:
    """Starts a server, lets it be worked with, kills it and looks into the database, so many times; then asks a last
    one for every key. Raises AssertionError with what is wrong.
    """
    chance = random.Random(5)  # noqa: S311 - no secret
    ledger = Ledger()
    async with stage_of(database_url, []) as stage:
        for number in range(1, times + 1):
            since = new_id()
            server = servers.start(database_url)
            await asyncio.to_thread(server.wait_until_ready)
            hands = [Hand(stage, ledger, kind) for kind in _KINDS for _ in range(_HANDS)]
            working = [asyncio.create_task(hand.work(server)) for hand in hands]
            await _until_answered(ledger, chance.choice(_KINDS), chance.randint(1, _ANSWERS))
            await asyncio.sleep(chance.uniform(0, _SECONDS))
            server.kill()
            await asyncio.gather(*working)
            await _check_rows(stage, ledger, since)
            progress(number, ledger)
        last = servers.start(database_url)
        await asyncio.to_thread(last.wait_until_ready)
        await _check_rows(stage, ledger)
        await _check_tokens(stage, ledger, last)
        last.stop()
    return ledger


async def _until_answered(ledger: Ledger, kind: str, more: int) -> None:
    wanted = ledger.answered(kind) + more
    async with asyncio.timeout(_PATIENCE):
        while ledger.answered(kind) < wanted:  # noqa: ASYNC110 - whoever answers is another process
            await asyncio.sleep(0.001)


async def _check_rows(stage: Stage, ledger: Ledger, since: str = "") -> None:
    """Each deed on a key made since this id is there whole, with its audit event and its entry in the log, or not at
    all.
    """
    async with stage.database.reading() as tx:
        if stage.database.kind == "postgresql":
            # The last transaction of who was killed may be committed at any moment.
            await tx.execute(text("SET TRANSACTION ISOLATION LEVEL REPEATABLE READ"))
        keys = {key.id: key for key in await tx.scalars(select(ApiKey).where(ApiKey.id > since))}
        events = await tx.execute(select(AuditEvent.action, AuditEvent.target).where(AuditEvent.id > since))
        told = Counter(tuple(row) for row in events)
        log = (await tx.execute(select(Change.seq, Change.kind, Change.subject).order_by(Change.seq))).all()
        head = await tx.scalar(select(ChangeHead.seq))
    assert [seq for seq, _, _ in log] == list(range(1, (head or 0) + 1)), "the log has a gap"
    died = Counter(subject for _, kind, subject in log if kind == "api_key")
    successors = Counter(key.replaces for key in keys.values() if key.replaces is not None)
    for key in keys.values():
        is_rotated, is_revoked = key.overlap is not None, key.revoked_at is not None
        assert told["api_key.created", f"api_key:{key.id}"] == (key.replaces is None), f"{key.id} was created by halves"
        assert told["api_key.rotated", f"api_key:{key.id}"] == is_rotated, f"{key.id} was rotated by halves"
        assert successors[key.id] == is_rotated, f"{key.id} was rotated by halves"
        assert told["api_key.revoked", f"api_key:{key.id}"] == is_revoked, f"{key.id} was revoked by halves"
        assert died[key.id] == is_revoked, f"{key.id} was revoked by halves"
    made = {key_id for key_id in ledger.created.values() if key_id > since}
    assert made <= keys.keys(), f"created, answered and gone: {made - keys.keys()}"
    undone = {key_id for key_id in ledger.revoked & keys.keys() if keys[key_id].revoked_at is None}
    assert not undone, f"revoked, answered and alive: {undone}"
    unrotated = {key_id for key_id in ledger.rotated & keys.keys() if keys[key_id].overlap is None}
    assert not unrotated, f"rotated, answered and not: {unrotated}"
    unknown = {target for _, target in told if target.startswith("api_key:")} - {f"api_key:{key_id}" for key_id in keys}
    assert not unknown, f"told of, and not there: {unknown}"


async def _check_tokens(stage: Stage, ledger: Ledger, server: Server) -> None:
    """What was answered is true of the tokens, too."""
    async with stage.database.reading() as tx:
        revoked = set(await tx.scalars(select(ApiKey.id).where(ApiKey.revoked_at.is_not(None))))
    connection = await Connection.to(server.host, server.port)
    for key_id, token in ledger.tokens.items():
        status = (await connection.ask(request("GET", stage.verifying("datasets:read"), token))).status
        _must_be(status, 401 if key_id in revoked else 204)
    connection.close()
