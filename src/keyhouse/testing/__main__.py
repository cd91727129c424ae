"""`python -m keyhouse.testing` is the program behind `keyhouse_server`; see `process`.

Tests wait for it: while it loads, which takes most of its start, the garbage collector would find nothing.
"""

import gc
import importlib

if __name__ == "__main__":
    gc.disable()
    importlib.import_module("keyhouse.testing.process").main()
