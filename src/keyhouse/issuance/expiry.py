"""When a new key ends: as a moment or as a number of seconds, within the bounds of the deployment."""

from dataclasses import dataclass

from keyhouse.errors import VALIDATION, invalid_field

MIN_TTL = 60


@dataclass(frozen=True, slots=True)
class Expiry:
    """Exactly one of `at` (seconds since 1970) and `within` (seconds from now)."""

    at: int | None = None
    within: int | None = None

    def resolve(self, now: int, max_ttl: int) -> int:
        """The end in seconds since 1970. Raises 400 at `expires_at` or `expires_in` when it is too near or too far."""
        if self.within is not None:
            if self.within < MIN_TTL:
                raise invalid_field("expires_in", VALIDATION["min_value"].format(n=MIN_TTL), "min_value")
            if self.within > max_ttl:
                raise invalid_field("expires_in", VALIDATION["max_value"].format(n=max_ttl), "max_value")
            return now + self.within
        at = self.at or 0
        if at <= now:
            raise invalid_field("expires_at", "Expiration date must be in the future.")
        if at < now + MIN_TTL:
            raise invalid_field("expires_at", f"Expiration date must be at least {MIN_TTL} seconds ahead.")
        if at > now + max_ttl:
            raise invalid_field("expires_at", f"Expiration date must be at most {max_ttl} seconds ahead.")
        return at
