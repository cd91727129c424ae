"""keyshield as its README sets it up: Argon2 at every request, and a random delay of 0.1 to 0.3 seconds."""

from keyshield import ApiKeyService
from keyshield_base import create, hasher, tokens

__all__ = ["app", "tokens"]
app = create(lambda repository: ApiKeyService(repo=repository, hasher=hasher))
