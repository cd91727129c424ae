"""JSON Web Tokens (RFC 7519): the keys, the claims, and the strict way from text to claims and back."""

from keyhouse.tokens.claims import Claims, TokenUse
from keyhouse.tokens.codec import Codec
from keyhouse.tokens.keys import Key, KeyRing

__all__ = ["Claims", "Codec", "Key", "KeyRing", "TokenUse"]
