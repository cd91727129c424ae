"""Tokens of every kind, by what is the matter with them."""

from keyhouse.testing.server import KeyhouseServer


class KeyhouseTokens:
    """Each call makes a fresh token for `keyhouse_server`, so that a test may revoke or rotate what it was given.

    The first four are let in, or not further than they may; the others are 401 everywhere, each for the reason of its
    name alone. Any may be called from a coroutine: it takes some milliseconds.
    """

    def __init__(self, server: KeyhouseServer) -> None:
        self._server = server

    def valid(self) -> str:
        """An API key that lives for a day, with every resource scope."""
        return self._server.token("valid")

    def access(self) -> str:
        """An access token of the admin, as a log-in gives it."""
        return self._server.token("access")

    def read_only(self) -> str:
        """An API key with those resource scopes alone that end in `:read`: 403 for anything else."""
        return self._server.token("read_only")

    def other_company(self) -> str:
        """A good API key of another company: 404 under `companies/<company_id>/`."""
        return self._server.token("other_company")

    def expired(self) -> str:
        """An API key whose time is over."""
        return self._server.token("expired")

    def revoked(self) -> str:
        """An API key that was revoked."""
        return self._server.token("revoked")

    def not_yet_valid(self) -> str:
        """The token of a live API key, with an `nbf` that is a day ahead."""
        return self._server.token("not_yet_valid")

    def wrong_signature(self) -> str:
        """The token of a live API key, signed with another secret."""
        return self._server.token("wrong_signature")

    def alg_none(self) -> str:
        """The token of a live API key with `alg: "none"` and no signature."""
        return self._server.token("alg_none")

    def wrong_audience(self) -> str:
        """The token of a live API key, well signed, for another audience."""
        return self._server.token("wrong_audience")

    def malformed(self) -> str:
        """A text that is no token at all."""
        return self._server.token("malformed")
