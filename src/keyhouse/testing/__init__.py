"""For the tests of a client, or of an application with the guard in it: a live server, and tokens of every kind.

pytest loads `plugin` in every project that has Keyhouse installed. So nothing in here imports more than the standard
library and pytest, but for `process` and `mint`, which live in a process of their own.
"""

from keyhouse.testing.server import KeyhouseServer
from keyhouse.testing.tokens import KeyhouseTokens

__all__ = ["KeyhouseServer", "KeyhouseTokens"]
