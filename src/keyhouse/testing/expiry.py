"""When a key ends, read from its token without verifying it: a word in time for whoever keeps it."""

import base64
import json
import time

_DAY = 86400
_NOTICE = 14 * _DAY


def warning(token: str, now: float) -> str | None:
    """What there is to say of a token's end at `now` (seconds since 1970), but never the token; None for nothing."""
    if not token:
        return None
    try:
        payload = token.split(".")[1]
        end = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))["exp"]
        day = time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(end))
    except (ValueError, LookupError, TypeError, OverflowError, OSError):
        return "is no token that tells when it ends"
    if end <= now:
        return f"ended at {day}: make a new one"
    if end - now > _NOTICE:
        return None
    days = int((end - now) // _DAY)
    left = "less than a day" if days == 0 else "1 day" if days == 1 else f"{days} days"
    return f"ends in {left}, at {day}: rotate it"
