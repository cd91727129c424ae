"""`python -m keyhouse.testing` is the program behind `keyhouse_server`; see `process`.

Tests wait for it: while it loads, which takes most of its start, the garbage collector would find nothing.
"""

import gc
import importlib
import sys

# What draws the tracebacks of a log on terminals, of which this process has none: a twentieth of the start.
_FOR_TERMINALS = ("rich", "pygments")

if __name__ == "__main__":
    gc.disable()
    sys.modules.update(dict.fromkeys(_FOR_TERMINALS))  # type: ignore[arg-type] # None is what an import can't find
    importlib.import_module("keyhouse.testing.process").main()
