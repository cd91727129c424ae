"""keyshield at its fastest: with its cache (a verified key is found by its SHA-256), its delay set to nothing."""

import aiocache
from keyshield.services.cached import CachedApiKeyService
from keyshield_base import create, hasher, tokens

__all__ = ["app", "tokens"]
cache = aiocache.SimpleMemoryCache()
app = create(
    lambda repository: CachedApiKeyService(repo=repository, hasher=hasher, cache=cache, min_delay=0, max_delay=0)
)
