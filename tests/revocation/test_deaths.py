"""Each deed writes state, change and audit event together, touches nothing else, and does all of it or nothing."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from sqlalchemy import select

from keyhouse import audit
from keyhouse.audit import AuditEvent
from keyhouse.credentials import changes
from keyhouse.credentials.models import Change
from keyhouse.db.base import new_id
from keyhouse.directory import companies
from keyhouse.errors import Failure
from keyhouse.issuance.api_keys import Minted
from keyhouse.revocation import Deed, deaths
from support.rooms import ORIGIN, Rooms
from support.rows import in_tables, touched


@dataclass
class Scene:
    """Two keys and two sessions of the member, in two companies, among those of others; `successor` replaces `key`."""

    rooms: Rooms
    key: Minted
    successor: Minted
    session: str
    other_session: str
    refresh_token: str

    @property
    def member(self) -> str:
        return self.rooms.member


@pytest.fixture
async def scene(rooms: Rooms) -> Scene:
    async with rooms.database.writing() as tx:
        await companies.add_member(tx, company_id=rooms.other, user_id=rooms.member, role="member", at=1)
    for user, company in ((rooms.admin, rooms.company), (rooms.stranger, rooms.other), (rooms.member, rooms.other)):
        await rooms.key(user, company, role="member")
        await rooms.session(user) if user != rooms.member else None
    key = await rooms.key(rooms.member, role="member")
    successor = await rooms.rotate(key, by_itself=True, overlap=60)
    first, second = await rooms.session(rooms.member), await rooms.session(rooms.member)
    ids = [rooms.codec.decode(pair.access_token).credential_id for pair in (first, second)]
    return Scene(rooms, key, successor, ids[0], ids[1], second.refresh_token)


@dataclass
class Case:
    """A deed with all that it writes: columns of rows, deaths in the log, and events as action, target, companies."""

    deed: Callable[[Scene], Deed[Any]]
    rows: Callable[[Scene], set[tuple[str, str, str]]]
    deaths: Callable[[Scene], set[tuple[str, str]]]
    events: Callable[[Scene], set[tuple[str, str, str]]]


def _key_id(minted: Minted) -> str:
    return minted.record.key.id


def _ended(scene: Scene, *sessions: str) -> set[tuple[str, str, str]]:
    """A session's events show in each company of its user."""
    both = (scene.rooms.company, scene.rooms.other)
    return {("session.ended", f"session:{session}", company) for session in sessions for company in both}


def _revoked(scene: Scene, *keys: Minted) -> set[tuple[str, str, str]]:
    return {("api_key.revoked", f"api_key:{_key_id(key)}", scene.rooms.company) for key in keys}


def _member(scene: Scene, action: str) -> set[tuple[str, str, str]]:
    return {(action, f"user:{scene.member}", scene.rooms.company)}


_BOTH_KEYS = Case(
    lambda s: deaths.api_key(s.rooms.company, _key_id(s.key), ORIGIN),
    lambda s: {("api_keys", _key_id(key), "revoked_at") for key in (s.key, s.successor)},
    lambda s: {("api_key", _key_id(key)) for key in (s.key, s.successor)},
    lambda s: _revoked(s, s.key, s.successor),
)
CASES = {
    "revocation": _BOTH_KEYS,
    "revocation by the holder": Case(
        lambda s: deaths.held_api_key(_key_id(s.key), ORIGIN), _BOTH_KEYS.rows, _BOTH_KEYS.deaths, _BOTH_KEYS.events
    ),
    "retirement": Case(
        lambda s: deaths.retirement(_key_id(s.successor), ORIGIN),
        lambda s: {("api_keys", _key_id(s.key), "retires_at"), ("api_keys", _key_id(s.successor), "used_at")},
        lambda s: {("api_key", _key_id(key)) for key in (s.key, s.successor)},
        lambda s: {("api_key.retired", f"api_key:{_key_id(s.key)}", s.rooms.company)},
    ),
    "log-out": Case(
        lambda s: deaths.session(s.session, ORIGIN),
        lambda s: {("sessions", s.session, "ended_at")},
        lambda s: {("session", s.session)},
        lambda s: _ended(s, s.session),
    ),
    "refresh token handed in": Case(
        lambda s: deaths.refresh_token(s.refresh_token, ORIGIN),
        lambda s: {("sessions", s.other_session, "ended_at")},
        lambda s: {("session", s.other_session)},
        lambda s: _ended(s, s.other_session),
    ),
    "password": Case(
        lambda s: deaths.password(s.member, "new", ORIGIN, keep_session=s.session),
        lambda s: {("users", s.member, "password_hash"), ("sessions", s.other_session, "ended_at")},
        lambda s: {("session", s.other_session)},
        lambda s: _ended(s, s.other_session),
    ),
    "disabling": Case(
        lambda s: deaths.disabling(s.member, ORIGIN),
        lambda s: {
            ("users", s.member, "disabled_at"),
            ("sessions", s.session, "ended_at"),
            ("sessions", s.other_session, "ended_at"),
        },
        lambda s: {("user", s.member)},
        lambda s: _ended(s, s.session, s.other_session),
    ),
    "removal": Case(
        lambda s: deaths.removal(s.rooms.company, s.member, ORIGIN),
        lambda s: {("memberships", f"{s.member}/{s.rooms.company}", "-")},
        lambda s: {("user", s.member)},
        lambda s: _member(s, "member.removed"),
    ),
    "role": Case(
        lambda s: deaths.role(s.rooms.company, s.member, "admin", ORIGIN),
        lambda s: {("memberships", f"{s.member}/{s.rooms.company}", "role")},
        lambda s: {("user", s.member)},
        lambda s: _member(s, "member.changed"),
    ),
    "addition": Case(
        lambda s: deaths.addition(s.rooms.company, s.rooms.stranger, "member", ORIGIN),
        lambda s: {("memberships", f"{s.rooms.stranger}/{s.rooms.company}", "+")},
        lambda s: {("user", s.rooms.stranger)},
        lambda s: {("member.added", f"user:{s.rooms.stranger}", s.rooms.company)},
    ),
}


async def _events(rooms: Rooms) -> set[tuple[str, str | None, str]]:
    async with rooms.database.reading() as tx:
        rows = (await tx.execute(select(AuditEvent.action, AuditEvent.target, AuditEvent.company_id))).all()
    return {(action, target, company_id) for action, target, company_id in rows}


async def _deaths(rooms: Rooms) -> set[tuple[str, str]]:
    async with rooms.database.reading() as tx:
        return {(kind, subject) for kind, subject in (await tx.execute(select(Change.kind, Change.subject))).all()}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_a_deed_writes_what_it_must_and_touches_no_other_row(scene: Scene, case: Case) -> None:
    rooms = scene.rooms
    events_before = await _events(rooms)
    places = await touched(rooms.database, lambda: rooms.revocation.die(case.deed(scene)))
    assert places - in_tables(places, "changes", "audit_events", "change_head") == case.rows(scene)
    assert in_tables(places, "change_head") == {("change_head", "1", "seq")}
    assert await _deaths(rooms) == case.deaths(scene)
    assert await _events(rooms) - events_before == case.events(scene)
    assert len(in_tables(places, "audit_events")) == len(case.events(scene))
    assert len(in_tables(places, "changes")) == len(case.deaths(scene))


@pytest.mark.parametrize("failing", [(audit, "record"), (changes, "record")], ids=["event", "change"])
@pytest.mark.parametrize("case", CASES.values(), ids=CASES.keys())
async def test_it_writes_all_of_it_or_nothing(
    scene: Scene, case: Case, failing: tuple[Any, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Failing after what it wrote, so that only the transaction can take it back."""
    module, name = failing
    real: Callable[..., Awaitable[Any]] = getattr(module, name)

    async def fail(*arguments: Any, **more: Any) -> None:
        await real(*arguments, **more)
        raise LookupError("power cut")

    monkeypatch.setattr(module, name, fail)

    async def die() -> None:
        with pytest.raises(LookupError, match="power cut"):
            await scene.rooms.revocation.die(case.deed(scene))

    assert await touched(scene.rooms.database, die) == set()
    assert scene.rooms.waits == []


@pytest.mark.parametrize("name", [name for name in CASES if name not in {"role", "addition", "removal", "password"}])
async def test_a_deed_that_was_done_changes_nothing_more(scene: Scene, name: str) -> None:
    """But waits: who did it first may not have answered yet."""
    rooms, deed = scene.rooms, CASES[name].deed(scene)
    await rooms.revocation.die(deed)
    rooms.waits.clear()
    places = await touched(rooms.database, lambda: rooms.revocation.die(deed))
    if name == "disabling":
        # Of a user it is told again, which costs a worker a few loads.
        assert {table for table, *_ in places} == {"changes", "change_head"}
    else:
        assert places == set()
    waits = rooms.database.kind == "postgresql" and name != "retirement"
    assert (sum(rooms.waits) > 0) is waits


async def test_what_is_not_there_is_404_and_nothing_is_changed(scene: Scene) -> None:
    rooms = scene.rooms
    for deed in (
        deaths.api_key(rooms.company, new_id(), ORIGIN),
        deaths.api_key(rooms.other, _key_id(scene.key), ORIGIN),
        deaths.api_key(rooms.company, _key_id(scene.key), ORIGIN, created_by=rooms.admin),
        deaths.removal(rooms.company, rooms.stranger, ORIGIN),
        deaths.role(rooms.company, rooms.stranger, "admin", ORIGIN),
    ):

        async def die(deed: Deed[None] = deed) -> None:
            with pytest.raises(Failure) as caught:
                await rooms.revocation.die(deed)
            assert caught.value.status == 404

        assert await touched(rooms.database, die) == set()
    assert rooms.waits == []


async def test_a_credential_that_is_not_there_is_as_good_as_dead(scene: Scene) -> None:
    for deed in (
        deaths.held_api_key(new_id(), ORIGIN),
        deaths.session(new_id(), ORIGIN),
        deaths.refresh_token("khr_unknown", ORIGIN),
        deaths.retirement(new_id(), ORIGIN),
    ):
        assert await touched(scene.rooms.database, lambda deed=deed: scene.rooms.revocation.die(deed)) == set()


async def test_a_password_that_was_overtaken_changes_nothing(scene: Scene) -> None:
    rooms = scene.rooms

    async def die() -> None:
        with pytest.raises(deaths.Overtaken):
            await rooms.revocation.die(
                deaths.password(scene.member, "new", ORIGIN, keep_session=None, former="another")
            )

    assert await touched(rooms.database, die) == set()
