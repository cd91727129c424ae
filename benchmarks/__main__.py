"""`python -m benchmarks ours`, `peers` or `anatomy`; `make bench` and `make bench-peers` call the first two."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from benchmarks import anatomy, ceiling, ours, peers, servers

RESULTS = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("command", choices=["ours", "peers", "anatomy"])
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--seconds", type=float, default=0.25, help="of each measurement")
    parser.add_argument("--only", default="", help="parts of names, comma-separated; bars left out are not judged")
    parser.add_argument("--quick", action="store_true", help="one short round, to see that everything works")
    options = parser.parse_args()
    if options.quick:
        options.rounds, options.seconds = 1, 0.5
    options.whole = not options.only and not options.quick
    options.results = RESULTS if options.whole else RESULTS.parent / "work" / "results"
    options.only = [part.strip().lower() for part in options.only.split(",") if part.strip()]
    servers.pin_client()
    if options.command == "anatomy":
        return anatomy.main(options)
    reached = ceiling.reach()
    print(f"the load generator alone reaches {reached:,.0f} req/s against a server that does nothing", flush=True)
    command = {"ours": ours.main, "peers": peers.main}[options.command]
    return command(options)


if __name__ == "__main__":
    sys.exit(main())
