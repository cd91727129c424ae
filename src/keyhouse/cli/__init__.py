"""What the operator types. A mistake is one line on standard error and a status that is not 0; never a traceback."""

import os
import sys

import typer

from keyhouse import logs
from keyhouse.cli import conformance, credentials, dev, directory, serve, upkeep
from keyhouse.cli.mistakes import INTERRUPTED, told

app = typer.Typer(
    name="keyhouse",
    help="The auth layer of company-scoped SaaS APIs.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)
app.command()(dev.dev)
app.command()(serve.serve)
app.command()(upkeep.migrate)
app.add_typer(directory.company, name="company")
app.add_typer(directory.user, name="user")
app.add_typer(directory.member, name="member")
app.add_typer(credentials.api_key, name="api-key")
app.add_typer(credentials.signing_key, name="signing-key")
app.command()(upkeep.revocation_bound)
app.command()(upkeep.prune)
app.command()(upkeep.openapi)
app.command()(conformance.conformance)


def main() -> None:
    """Runs the command of the arguments and leaves the process: with 0 when it was done, 1 and one line on standard
    error for a mistake, 2 for wrong usage, 130 for Ctrl-C.
    """
    logs.silence()
    try:
        status = int(app(standalone_mode=False) or 0)
        sys.stdout.flush()
        if status == INTERRUPTED:
            raise KeyboardInterrupt  # noqa: TRY301 - as if it had come through
    except BrokenPipeError:
        # Who reads has enough; Python would complain once more when it flushes at its end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        status = 1
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001 - whatever it is, nobody is shown a traceback
        line, status = told(error)
        sys.stderr.write(f"keyhouse: {line}\n")
    sys.exit(status)
