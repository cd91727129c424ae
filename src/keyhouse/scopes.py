"""The scope vocabulary: what a credential may be allowed to do (RFC 6749 section 3.3 for the grammar)."""

import re
from collections.abc import Iterable, Mapping
from enum import StrEnum

# A refresh token has the same grammar, and is refused: the scopes that a proxy asks for are named in the answer.
_TOKEN = re.compile(r"(?!.*khr_)[\x21\x23-\x5b\x5d-\x7e]{1,100}")


class Role(StrEnum):
    """What a user is in a company."""

    ADMIN = "admin"
    MEMBER = "member"


MANAGEMENT: Mapping[str, str] = {
    "api_keys:read": "Read the company's API keys",
    "api_keys:rotate": "Rotate the API key itself",
    "tokens:introspect": "Introspect the company's API keys",
    "audit:read": "Read the company's audit events",
}
_MEMBERS_MANAGEMENT = frozenset({"api_keys:read", "api_keys:rotate"})


def is_scope(text: str) -> bool:
    """Whether this may be the name of a scope, declared or not: it is safe in a header."""
    return _TOKEN.fullmatch(text) is not None


class Vocabulary:
    """All scopes of one application: the resource scopes it declares, and Keyhouse's management scopes.

    `everywhere` is what an access token may do on a path without a company: use resources, manage nothing.
    """

    def __init__(self, resource: Mapping[str, str]) -> None:
        """Takes resource scopes with their descriptions. Raises ValueError for a name that can't be one."""
        for name in resource:
            if not is_scope(name):
                raise ValueError(
                    f"scope {name!r} is no scope token (RFC 6749 section 3.3): name it like 'reports:read'"
                )
            if name in MANAGEMENT:
                raise ValueError(f"scope {name!r} is one of Keyhouse's management scopes: choose another name")
        self.resource = dict(resource)
        self.everywhere = frozenset(resource)
        self._allowed: Mapping[str, frozenset[str]] = {
            Role.ADMIN: self.everywhere | frozenset(MANAGEMENT),
            Role.MEMBER: self.everywhere | _MEMBERS_MANAGEMENT,
        }

    def __contains__(self, scope: object) -> bool:
        return scope in self.resource or scope in MANAGEMENT

    def described(self) -> dict[str, str]:
        """Every scope with its description, resource scopes first."""
        return {**self.resource, **MANAGEMENT}

    def allowed(self, role: str) -> frozenset[str]:
        """What a user of that role may do, and so give to a key."""
        return self._allowed.get(role, frozenset())

    def ordered(self, scopes: Iterable[str]) -> list[str]:
        """The given scopes once each, in the vocabulary's order; unknown ones (of a former version) last."""
        given = set(scopes)
        known = [scope for scope in self.described() if scope in given]
        return known + sorted(given.difference(known))
