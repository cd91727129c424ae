"""`kill -9` of the server while it creates, rotates and revokes keys."""

from support.killing import kill_again_and_again
from support.servers import Servers

_TIMES = 10


async def test_what_was_answered_holds_and_nothing_is_there_by_halves(database_url: str, servers: Servers) -> None:
    ledger = await kill_again_and_again(database_url, servers, _TIMES)
    for kind in ("create", "rotate", "revoke"):
        assert ledger.answered(kind) > 0
    # Each kill came in the middle of something.
    interrupted = ledger.tried.total() - sum(ledger.answered(kind) for kind in ledger.tried)
    assert interrupted >= _TIMES
