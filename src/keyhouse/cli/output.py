"""What a command prints of what it made."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any


def show(values: Mapping[str, Any], *, as_json: bool) -> None:
    """One JSON object on one line, or a line for each value that there is."""
    if as_json:
        say(json.dumps(values))
        return
    told = {name.replace("_", " "): _text(value) for name, value in values.items() if value is not None}
    width = max(map(len, told))
    for name, text in told.items():
        say(f"{name:<{width}}  {text}")


def table(heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
    """Columns as wide as what stands in them."""
    cells = [list(heads), *([_text(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(heads))]
    for row in cells:
        say("  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip())


def say(line: str) -> None:
    """One line on standard output."""
    sys.stdout.write(line + "\n")


def _text(value: Any) -> str:
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    return "-" if value is None else str(value)
