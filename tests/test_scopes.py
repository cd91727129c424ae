"""The vocabulary of scopes: names, and what a role may give."""

import pytest

from keyhouse.scopes import MANAGEMENT, Role, Vocabulary

VOCABULARY = Vocabulary({"reports:read": "Read reports", "reports:write": "Write reports"})


def test_management_scopes_are_those_of_the_contract() -> None:
    assert set(MANAGEMENT) == {"api_keys:read", "api_keys:rotate", "tokens:introspect", "audit:read"}


@pytest.mark.parametrize("name", ["", "a b", 'a"b', "a\\b", "a\n", "a\x7f", "é", "a" * 101])
def test_a_name_that_is_no_scope_token_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="RFC 6749"):
        Vocabulary({name: "x"})


@pytest.mark.parametrize("name", MANAGEMENT)
def test_a_management_scope_cannot_be_declared_again(name: str) -> None:
    """It would make every key of whoever asks for no scopes a manager."""
    with pytest.raises(ValueError, match="management scopes"):
        Vocabulary({name: "x"})


def test_every_character_of_a_scope_token_is_taken() -> None:
    name = "".join(chr(n) for n in range(0x21, 0x7F) if chr(n) not in '"\\')
    assert name in Vocabulary({name: "x"})


def test_it_contains_what_is_declared_and_what_is_ours() -> None:
    assert "reports:read" in VOCABULARY
    assert "audit:read" in VOCABULARY
    assert "reports:delete" not in VOCABULARY
    assert 7 not in VOCABULARY


def test_an_admin_may_do_all_and_a_member_what_the_contract_says() -> None:
    resource = {"reports:read", "reports:write"}
    assert VOCABULARY.allowed(Role.ADMIN) == resource | set(MANAGEMENT)
    assert VOCABULARY.allowed("member") == resource | {"api_keys:read", "api_keys:rotate"}
    assert VOCABULARY.everywhere == resource


@pytest.mark.parametrize("role", ["", "owner", "ADMIN", "Member"])
def test_an_unknown_role_may_do_nothing(role: str) -> None:
    assert VOCABULARY.allowed(role) == frozenset()


def test_scopes_are_told_in_one_order_and_once() -> None:
    given = ["audit:read", "reports:write", "zz:former", "reports:read", "audit:read", "aa:former"]
    assert VOCABULARY.ordered(given) == ["reports:read", "reports:write", "audit:read", "aa:former", "zz:former"]
    assert list(VOCABULARY.described()) == ["reports:read", "reports:write", *MANAGEMENT]


def test_what_is_declared_later_changes_nothing() -> None:
    declared = {"a": "A"}
    vocabulary = Vocabulary(declared)
    declared["b"] = "B"
    assert "b" not in vocabulary
    assert vocabulary.allowed("admin") == {"a", *MANAGEMENT}
