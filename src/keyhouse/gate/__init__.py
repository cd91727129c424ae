"""The guard: from the header of a request to a principal, or to the one refusal that fits.

Read it in this order: `dependency` (what a route names), `bearer` (header → text), `resolver` (text → principal).
"""

from keyhouse.gate.dependency import (
    Guard,
    access_token_guard,
    guard,
    revoking_access_token_guard,
    revoking_guard,
)
from keyhouse.gate.exchange import Exchange
from keyhouse.gate.principal import Principal
from keyhouse.gate.resolver import Gate

__all__ = [
    "Exchange",
    "Gate",
    "Guard",
    "Principal",
    "access_token_guard",
    "guard",
    "revoking_access_token_guard",
    "revoking_guard",
]
