"""`token/refresh/`, sentence by sentence (contract, section 3)."""

import asyncio
from typing import Any

import pytest
from sqlalchemy import func, select

from keyhouse.audit import AuditEvent
from keyhouse.audit.events import OPERATOR
from keyhouse.credentials.models import RefreshToken
from keyhouse.directory import users
from keyhouse.errors import Failure
from keyhouse.issuance.sessions import REUSE_WINDOW, TokenPair
from keyhouse.revocation import deaths
from support.rooms import ORIGIN, Rooms
from support.rows import touched


async def _refresh(rooms: Rooms, token: str | TokenPair) -> TokenPair:
    return await rooms.sessions.refresh(token if isinstance(token, str) else token.refresh_token, ORIGIN)


async def _refused(rooms: Rooms, token: str | TokenPair) -> str:
    with pytest.raises(Failure) as caught:
        await _refresh(rooms, token)
    assert (caught.value.status, caught.value.entries[0].code) == (401, "invalid_token")
    return caught.value.cause or ""


async def _is_over(rooms: Rooms, *pairs: TokenPair) -> bool:
    """Whether no token of the session works any more; all are of one session."""
    live = [await rooms.is_live(pair.access_token) for pair in pairs]
    assert len(set(live)) == 1
    return not live[0]


async def test_a_pair_is_exchanged_for_a_new_one_of_the_same_session(rooms: Rooms) -> None:
    first = await rooms.session()
    second = await _refresh(rooms, first)
    assert second.refresh_token != first.refresh_token
    assert second.access_token != first.access_token
    who = [await rooms.admit(pair.access_token) for pair in (first, second)]
    assert who[0].credential_id == who[1].credential_id
    # Refreshing ends nothing: the former access token lives to its own end.
    assert not await _is_over(rooms, first, second)


async def test_it_serves_once_and_any_other_reuse_ends_the_session(rooms: Rooms) -> None:
    first = await rooms.session()
    second = await _refresh(rooms, first)
    rooms.clock.advance(REUSE_WINDOW + 2)
    assert await _refused(rooms, first) == "refresh token reused"
    assert await _is_over(rooms, first, second)
    assert await _refused(rooms, second) == "session ended"
    assert await _refused(rooms, first) == "session ended"


async def test_within_ten_seconds_it_serves_once_more(rooms: Rooms) -> None:
    """A lost answer, two tabs: another pair, as good as the first."""
    first = await rooms.session()
    second = await _refresh(rooms, first)
    rooms.clock.advance(REUSE_WINDOW - 2)
    twin = await _refresh(rooms, first)
    assert twin.refresh_token != second.refresh_token
    assert not await _is_over(rooms, first, second, twin)


async def test_a_third_time_ends_the_session_however_soon(rooms: Rooms) -> None:
    first = await rooms.session()
    second, twin = await _refresh(rooms, first), await _refresh(rooms, first)
    assert await _refused(rooms, first) == "refresh token reused"
    assert await _is_over(rooms, first, second, twin)


async def test_once_a_successor_was_presented_it_does_not_serve_again(rooms: Rooms) -> None:
    first = await rooms.session()
    second = await _refresh(rooms, first)
    third = await _refresh(rooms, second)
    assert await _refused(rooms, first) == "refresh token reused"
    assert await _is_over(rooms, first, second, third)


@pytest.mark.parametrize("chosen", [0, 1])
async def test_when_one_of_the_two_is_presented_the_other_is_refused_and_the_session_lives(
    rooms: Rooms, chosen: int
) -> None:
    first = await rooms.session()
    pairs = [await _refresh(rooms, first), await _refresh(rooms, first)]
    third = await _refresh(rooms, pairs[chosen])
    for _ in range(3):
        assert await _refused(rooms, pairs[1 - chosen]) == "refresh token superseded"
    assert not await _is_over(rooms, first, *pairs, third)
    assert not await _is_over(rooms, await _refresh(rooms, third))


async def test_the_one_that_was_chosen_may_be_repeated_like_any_other(rooms: Rooms) -> None:
    first = await rooms.session()
    second, twin = await _refresh(rooms, first), await _refresh(rooms, first)
    third, fourth = await _refresh(rooms, second), await _refresh(rooms, second)
    assert await _refused(rooms, twin) == "refresh token superseded"
    assert not await _is_over(rooms, first, third, fourth)
    assert await _refused(rooms, second) == "refresh token reused"
    assert await _is_over(rooms, first, third, fourth)


async def test_a_session_ends_absolutely_however_often_it_is_refreshed(rooms: Rooms) -> None:
    pair = await rooms.session()
    for _ in range(8):
        rooms.clock.advance(10 * 86400)
        pair = await _refresh(rooms, pair)
    # Ten of the ninety days are left, and no refresh token outlives them.
    assert pair.refresh_expires_in == pytest.approx(10 * 86400, abs=30)
    rooms.clock.advance(10 * 86400 - 100)
    pair = await _refresh(rooms, pair)
    assert 0 < pair.expires_in == pair.refresh_expires_in <= 100
    rooms.clock.advance(101)
    assert await _refused(rooms, pair) == "session ended"
    assert not await rooms.is_live(pair.access_token)


async def test_a_refresh_token_has_an_end_of_its_own(rooms: Rooms) -> None:
    pair = await rooms.session()
    assert (pair.expires_in, pair.refresh_expires_in) == (900, 14 * 86400)
    rooms.clock.advance(14 * 86400 - 5)
    second = await _refresh(rooms, pair)
    rooms.clock.advance(14 * 86400)
    assert await _refused(rooms, second) == "refresh token expired"


async def test_an_access_token_ends_after_its_own_time(rooms: Rooms) -> None:
    pair = await rooms.session()
    rooms.clock.advance(895)
    assert await rooms.is_live(pair.access_token)
    rooms.clock.advance(6)
    assert await rooms.refused(pair.access_token) == "401 invalid_token (expired)"


@pytest.mark.parametrize("token", ["", "khr_", "khr_" + "A" * 43, "x" * 4096, "\x00", "Ж", "khr_\ud800"])
async def test_whatever_is_none_of_ours_is_refused(rooms: Rooms, token: str) -> None:
    assert await _refused(rooms, token) == "refresh token unknown"
    assert await _refused(rooms, (await rooms.session()).access_token) == "refresh token unknown"


async def test_logging_out_ends_the_session_and_no_other(rooms: Rooms) -> None:
    first, second = await rooms.session(), await rooms.session()
    session = (await rooms.admit(first.access_token)).credential_id
    await rooms.sessions.end(session, ORIGIN)
    assert await _is_over(rooms, first)
    assert await _refused(rooms, first) == "session ended"
    assert not await _is_over(rooms, second)
    await rooms.sessions.end(session, ORIGIN)


async def test_a_disabled_user_refreshes_nothing_and_enabling_brings_no_session_back(rooms: Rooms) -> None:
    pair = await rooms.session(rooms.member)
    await rooms.revocation.die(deaths.disabling(rooms.member, OPERATOR))
    assert await _refused(rooms, pair) == "session ended"
    async with rooms.database.writing() as tx:
        await users.enable(tx, rooms.member)
    assert await _refused(rooms, pair) == "session ended"
    assert not await rooms.is_live(pair.access_token)


async def test_a_user_who_is_disabled_behind_our_back_refreshes_nothing_either(rooms: Rooms) -> None:
    """By SQL, without the end of the session that goes with it."""
    pair = await rooms.session(rooms.member)
    async with rooms.database.writing() as tx:
        await users.disable(tx, rooms.member, 1)
    assert await _refused(rooms, pair) == "session ended"


async def test_a_refusal_changes_nothing(rooms: Rooms) -> None:
    first = await rooms.session()
    second, twin = await _refresh(rooms, first), await _refresh(rooms, first)
    await _refresh(rooms, second)
    for token in ("khr_unknown", twin.refresh_token):
        assert await touched(rooms.database, lambda token=token: _refused(rooms, token)) == set()


async def test_a_reuse_is_told_in_the_audit(rooms: Rooms) -> None:
    first = await rooms.session(rooms.member)
    session = (await rooms.admit(first.access_token)).credential_id
    await _refresh(rooms, first)
    rooms.clock.advance(REUSE_WINDOW + 2)
    await _refused(rooms, first)
    await _refused(rooms, first)
    async with rooms.database.reading() as tx:
        query = select(AuditEvent).where(AuditEvent.action == "session.ended")
        (event,) = (await tx.scalars(query)).all()
    assert (event.target, event.company_id, event.ip) == (f"session:{session}", rooms.company, "192.0.2.1")


async def _at_once(rooms: Rooms, *tokens: TokenPair) -> list[Any]:
    return await asyncio.gather(*(_refresh(rooms, token) for token in tokens), return_exceptions=True)


async def test_two_at_once_are_a_first_and_a_repeated_one(rooms: Rooms) -> None:
    """Two tabs: both are served, each with a pair of its own, and the session lives."""
    first = await rooms.session()
    outcomes = await _at_once(rooms, first, first)
    assert [type(outcome) for outcome in outcomes] == [TokenPair, TokenPair]
    assert outcomes[0].refresh_token != outcomes[1].refresh_token
    assert not await _is_over(rooms, first, *outcomes)
    async with rooms.database.reading() as tx:
        assert await tx.scalar(select(RefreshToken.uses).where(RefreshToken.parent_id.is_(None))) == 2


async def test_of_many_at_once_two_are_served_and_the_session_ends(rooms: Rooms) -> None:
    first = await rooms.session()
    outcomes = await _at_once(rooms, *[first] * 6)
    served = [outcome for outcome in outcomes if isinstance(outcome, TokenPair)]
    assert len(served) == 2
    assert {type(outcome) for outcome in outcomes if outcome not in served} == {Failure}
    assert await _is_over(rooms, first, *served)
    async with rooms.database.reading() as tx:
        assert await tx.scalar(select(func.count()).select_from(RefreshToken)) == 3
        ended = select(func.count()).select_from(AuditEvent).where(AuditEvent.action == "session.ended")
        assert await tx.scalar(ended) == 1


async def test_of_two_siblings_at_once_one_is_served_and_the_session_lives(rooms: Rooms) -> None:
    first = await rooms.session()
    siblings = [await _refresh(rooms, first), await _refresh(rooms, first)]
    outcomes = await _at_once(rooms, *siblings)
    served = [outcome for outcome in outcomes if isinstance(outcome, TokenPair)]
    assert [outcome.cause for outcome in outcomes if outcome not in served] == ["refresh token superseded"]
    assert len(served) == 1
    assert not await _is_over(rooms, first, *siblings, *served)


async def test_a_refresh_and_a_log_out_at_once_leave_no_session(rooms: Rooms) -> None:
    for _ in range(5):
        pair = await rooms.session()
        session = (await rooms.admit(pair.access_token)).credential_id
        outcome, _ = await asyncio.gather(
            _refresh(rooms, pair), rooms.sessions.end(session, ORIGIN), return_exceptions=True
        )
        assert await _is_over(rooms, pair, *([outcome] if isinstance(outcome, TokenPair) else []))
        if isinstance(outcome, TokenPair):
            assert await _refused(rooms, outcome) == "session ended"
