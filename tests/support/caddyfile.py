"""A Caddyfile as the lists it is made of: enough of the grammar to tell whether one is well-formed."""

import re
from dataclasses import dataclass, field

_WORD = re.compile(r"`[^`]*`|\"[^\"]*\"|\S+")


@dataclass
class Line:
    """One directive: its words, and the lines of its block."""

    words: list[str]
    block: list["Line"] = field(default_factory=list)

    def of(self, name: str) -> list["Line"]:
        """The lines of its block that begin with this word."""
        return [line for line in self.block if line.words[0] == name]

    def one(self, name: str) -> "Line":
        (found,) = self.of(name)
        return found


def parse(text: str) -> Line:
    """The whole file, as a block of its own. Raises ValueError when its braces do not match."""
    open_blocks = [Line([])]
    for row in text.splitlines():
        words = _WORD.findall(row)
        if not words or words[0].startswith("#"):
            continue
        if words == ["}"]:
            open_blocks.pop()
            if not open_blocks:
                raise ValueError(f"a brace too many: {row}")
            continue
        line = Line([word.strip('`"') for word in words if word != "{"])
        open_blocks[-1].block.append(line)
        if words[-1] == "{":
            open_blocks.append(line)
    if len(open_blocks) > 1:
        raise ValueError(f"never closed: {open_blocks[-1].words}")
    return open_blocks[0]
