"""The one way to die: commit state, log and audit event together, let go of the connection, then keep the promise."""

from keyhouse.revocation.promise import Deed, Outcome, Revocation

__all__ = ["Deed", "Outcome", "Revocation"]
