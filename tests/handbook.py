"""Builds the site of docs/ into site/, warnings as errors: `python -m tests.handbook`; `make docs` calls this.

With `--write` the pages first get anew what is generated from the code and from the results of the benchmarks.
"""

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from support import reference, site


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.handbook", description=__doc__)
    parser.add_argument("--write", action="store_true", help="write what is generated into docs/")
    if parser.parse_args().write:
        for path, text in reference.generated().items():
            path.write_text(text)
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        site.stage(folder)
        try:
            site.build(folder)
        except RuntimeError as failed:
            sys.stderr.write(f"{failed}\n")
            return 1
        shutil.rmtree(site.ROOT / "site", ignore_errors=True)
        shutil.copytree(folder / "site", site.ROOT / "site")
    return 0


if __name__ == "__main__":
    sys.exit(main())
