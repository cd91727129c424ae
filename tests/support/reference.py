"""Which pages of `docs/` are made, wholly or in part, and what they have to be."""

import json
import tempfile
from pathlib import Path

from keyhouse import create_app
from support.cli_page import cli_page
from support.figures import filled
from support.openapi_page import openapi_page
from support.site import DOCS, ROOT
from support.world import settings_for

# Pages with blocks of figures in them.
MEASURED = (ROOT / "README.md", DOCS / "capacity.md", DOCS / "comparison.md")


def generated() -> dict[Path, str]:
    """Each file that is made, with its text."""
    # Nothing of the database shows in the document, but an SQLite file is made at once.
    with tempfile.TemporaryDirectory() as folder:
        document = create_app(settings_for(f"sqlite:///{folder}/keyhouse.db")).openapi()
    return {
        DOCS / "cli.md": cli_page(),
        DOCS / "openapi.json": json.dumps(document, indent=2) + "\n",
        DOCS / "openapi.md": openapi_page(document),
        **{page: filled(page.read_text()) for page in MEASURED},
    }
