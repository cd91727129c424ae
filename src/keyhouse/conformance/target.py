"""The server that is checked, and why it may be none."""

from dataclasses import dataclass, field


class UnusableError(Exception):
    """Why nothing can be checked, in one sentence."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where the server is, and whose eyes it is seen through: a user of a company, best an admin and made for this.

    `url` is what stands before `/api/`; `max_body_bytes` is how long a body may be.
    """

    url: str
    company_id: str
    email: str
    password: str = field(repr=False)
    max_body_bytes: int = 65536
