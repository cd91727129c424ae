"""`docs/cli.md`: each command as its `--help` tells it."""

from collections.abc import Iterator
from typing import Any

import typer

from keyhouse import cli

_HEAD = """# The command line

Made from the code by `make docs ARGS=--write`, as `--help` tells it. A mistake is one line on standard error and exit
status 1, or 2 for wrong usage; 0 means that it was done. What changes or ends something ends when that is true on every
worker. Commands other than `dev`, `openapi`, `conformance` and `signing-key` read the settings of
[configuration.md](configuration.md).

Options in italics have to be given. A `DURATION` is a number with its unit: `90s`, `15m`, `12h` or `30d`.
"""
# What `--help` calls the kinds of values that have no name of their own.
_TAKEN = {"<int range>": "N", "<path>": "PATH", "<file>": "FILE", "<str>": "TEXT"}


def cli_page() -> str:
    every = list(_commands("keyhouse", typer.main.get_command(cli.app)))[1:]
    return _HEAD + "\n" + "\n\n".join(_section(name, command) for name, command in every) + "\n"


def _commands(name: str, command: Any) -> Iterator[tuple[str, Any]]:
    yield name, command
    for word, below in getattr(command, "commands", {}).items():
        yield from _commands(f"{name} {word}", below)


def _section(name: str, command: Any) -> str:
    said = "\n\n".join(" ".join(part.split()) for part in (command.help or "").split("\n\n"))
    lines = [f"{'##' if name.count(' ') == 1 else '###'} {name}", "", said]
    taken = [one for one in command.params if one.name != "help"]
    if taken:
        context = typer.Context(command, info_name=name)
        rows = [_row(one, context) for one in taken]
        lines += ["", "| argument or option | default | what it is |", "|---|---|---|", *rows]
    return "\n".join(lines)


def _row(taken: Any, context: Any) -> str:
    metavar = taken.make_metavar(context)
    metavar = _TAKEN.get(metavar, metavar.replace("|", " or ").strip("[]<>"))
    if taken.param_type_name == "argument":
        label = metavar
    else:
        label = ", ".join(taken.opts) if taken.is_flag else f"{', '.join(taken.opts)} {metavar}"
    said = " ".join((getattr(taken, "help", None) or "").split())
    if taken.envvar:
        said += f" Also from the environment: `{taken.envvar}`."
    shown = "" if taken.default is None or taken.default is False else f"`{taken.default}`"
    marked = f"*`{label}`*" if taken.required else f"`{label}`"
    return f"| {marked} | {shown} | {said.strip()} |"
