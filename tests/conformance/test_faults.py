"""Each promise that is taken out of Keyhouse is missed by the checks that are there for it, and by no other."""

from pathlib import Path

from support.conformance import conform, serving
from support.world import SECRET

SERVER = Path(__file__).parent / "faulty_server.py"
FAULTS = {
    "refusals may be stored": [f"conventions.check_no_store[{status}]" for status in (400, 401, 404, 405)],
    "Allow has one method, whatever the path": ["conventions.check_wrong_method*"],
    "a refresh token serves for ever": ["refresh.check_reuse"],
    "logout ends nothing": ["revocation.check_logout"],
    "a new password ends no session": ["session_ends.check_password_ends_other_sessions"],
    "the first use of a successor retires nothing": [
        "rotation.check_retired",
        "rotation.check_overlap",
        "revocation.check_first_use_of_a_successor",
    ],
    "what a key made of itself outlives it": ["rotation.check_delete_of_the_former[the key]"],
    "the hint is the beginning of the token": ["creation.check_key"],
    "a key may end at once": ["creation.check_bad_keys[30 seconds ahead]"],
    "no event tells of a revocation": ["companies.check_audit_events"],
    "revoke/ believes a forged token": ["handed_in.check_forged_token_revokes_nothing"],
    "introspect/ believes a signature": ["handed_in.check_inactive[a revoked key]"],
    "a proxy is told 404": ["forward_auth.check_company*", "forward_auth.check_*uri*"],
    "the header is not sorted": ["tokens.check_header*"],
}


def test_each_fault_is_found_where_it_is(tmp_path: Path) -> None:
    settings = {
        "KEYHOUSE_DATABASE_URL": f"sqlite:///{tmp_path}/keyhouse.db",
        "KEYHOUSE_SECRET_KEY": SECRET,
        "KEYHOUSE_LOGIN_RATE": "10000/minute",
    }
    with serving(SERVER, settings) as server:
        ran = conform(server, tmp_path)
    expected = ran.matching(check for checks in FAULTS.values() for check in checks)
    assert ran.of("failed") == expected
    assert ran.status == 1
