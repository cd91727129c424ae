"""The suite on a server that shares nothing with Keyhouse: it finds the differences that there are, and no other."""

import re
from pathlib import Path

from support.conformance import conform, serving

SERVER = Path(__file__).parent / "drf_server" / "__main__.py"

# Why the server differs, and which checks must tell; with a star all that begin so.
DIFFERENCES = {
    "sessions can't be refreshed": ["refresh.*", "json_bodies.check_refresh*"],
    "a session is never ended": [
        "session_ends.*",
        "guard.check_access_tokens_alone[POST auth/logout/]",
        "guard.check_access_tokens_alone[POST auth/password/]",
        "revocation.check_logout",
    ],
    "no token can be handed in": [
        "handed_in.*",
        "bodies.check_form_routes_take_no_json",
        "revocation.check_revoke*",
    ],
    "no proxy can ask": ["forward_auth.*"],
    "keys can't be rotated": ["rotation.*", "revocation.check_first_use_of_a_successor"],
    "companies can't be read": [
        "companies.*",
        "lists.check_shape[companies]",
        "lists.check_bad_limits[*-companies]",
        "lists.check_bad_cursors[*-companies]",
    ],
    "Django redirects to the last slash": [
        "conventions.check_get_without_slash",
        "conventions.check_writes_without_slash",
        "conventions.check_head_without_slash",
        "conventions.check_refusal_without_slash",
    ],
    "requests have no id": ["conventions.check_request_id*"],
    "ids are UUIDv4": ["conventions.check_times_and_ids", "datasets.check_create*"],
    "bodies may be of any length": ["bodies.check_too_long*", "guard_order.check_size_before_credentials"],
    "a body without a length is taken for none": ["bodies.check_chunks"],
    "Content-Encoding is not looked at": ["bodies.check_encodings"],
    "JSON is what Python's parser takes": [
        "json_bodies.check_bad_json[1e400]",
        "json_bodies.check_bad_json[2^63]",
        "json_bodies.check_bad_json[a name twice]",
        "json_bodies.check_bad_json[30,000 lists]",
        "json_bodies.check_bad_json[30,000 brackets]",
        "json_bodies.check_bad_json[10,000 objects]",
        "json_bodies.check_log_in[a name twice]",
        "json_bodies.check_log_in[30,000 lists]",
    ],
    "unknown and unchangeable fields are ignored": [
        "texts.check_unknown_field*",
        "texts.check_several",
        "creation.check_bad_keys[an unknown field]",
        "keys.check_unchangeable*",
        "datasets.check_bad_change[an id]",
    ],
    "a text may be a number, and have control characters": [
        "texts.check_bad_names[a number]",
        "texts.check_bad_names[a control character]",
        "texts.check_bad_names[a line break]",
        "texts.check_bad_description[ESC]",
        "creation.check_bad_keys[no whole seconds]",
    ],
    "a time may lack its offset": ["creation.check_bad_keys[no offset]"],
    "PyJWT takes two spellings of one token": ["guard.check_forged[padding]"],
    "a refusal does not say which scope": ["guard.check_scope", "guard.check_other_scopes*"],
    "who asks is known before it is known what for": ["guard_order.check_method_before_credentials"],
    "a key is remembered for a while after its death": [
        "keys.check_delete",
        "keys.check_delete_itself",
        "revocation.check_delete",
        "revocation.check_repeated_delete",
    ],
}

# Of some, what the report must say.
EXPLAINED = {
    "bodies.check_too_long": ("asked     POST /api/v1/companies/", "expected  413", "received  201; "),
    "conventions.check_request_ids_differ": ("expected  three X-Request-IDs", "received  [null, null, null]"),
    "conventions.check_head_without_slash": ("expected  200", "received  301; Location: /api/v1/companies/"),
    "datasets.check_create[user]": ("expected  id as a UUIDv7 in lower case",),
    "guard.check_forged[padding]": ("expected  401", "received  200; "),
    "guard.check_scope": ('expected  extra {"required_scopes": ["datasets:write"]}', "received  null"),
    "keys.check_unchangeable[status]": ("expected  400", "received  200; "),
    "texts.check_several": (
        "expected  400 with blank at name, null at description, invalid at colour",
        "received  blank at name, null at description",
    ),
    "revocation.check_delete": (
        "expected  401 for every request that begins after the answer (204)",
        "received  200 for 200 of 200, the last ",
    ),
}


def test_it_finds_the_differences_that_there_are_and_no_other(tmp_path: Path) -> None:
    with serving(SERVER) as server:
        ran = conform(server, tmp_path)
    expected = ran.matching(pattern for patterns in DIFFERENCES.values() for pattern in patterns)
    assert ran.of("failed") == expected
    assert (ran.status, ran.err) == (1, "")
    # Most of the contract is within reach of another framework.
    assert len(ran.of("passed")) > 200
    assert f"{len(ran.of('passed'))} passed, {len(expected)} failed, " in ran.out.splitlines()[-1]
    for check, texts in EXPLAINED.items():
        for text in texts:
            assert text in ran.told[check]
            assert text in ran.out
    shown = ran.out + "".join(ran.told.values())
    assert "[secret]" in shown
    assert not re.search(r"eyJ[A-Za-z0-9_-]{4,}", shown)
    assert server["password"] not in shown
