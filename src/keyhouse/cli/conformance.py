"""`conformance`: whether a server keeps to the contract."""

from pathlib import Path
from typing import Annotated

import typer

from keyhouse.cli.mistakes import Mistake
from keyhouse.cli.output import say


def conformance(
    url: Annotated[str, typer.Option(help="What stands before /api/.", show_default=False)],
    company: Annotated[str, typer.Option(metavar="ID", help="A company of the user's.", show_default=False)],
    email: Annotated[str, typer.Option(help="A user made for this, best an admin.", show_default=False)],
    password: Annotated[str, typer.Option(envvar="CONFORMANCE_PASSWORD", show_default=False)],
    slow: Annotated[bool, typer.Option("--slow", help="Check what takes a minute, too.")] = False,  # noqa: FBT002 - a flag of the command line
    junit_xml: Annotated[Path | None, typer.Option(dir_okay=False, help="Write a report for CI to this file.")] = None,
    max_body_bytes: Annotated[int, typer.Option(min=1024, help="How long a body may be.")] = 65536,
) -> int:
    """Check a server against the contract.

    Any server, in whatever language, over HTTP alone. Exits with 1 if it differs, or if nothing was checked. What the
    checks make they revoke and delete again, and the user's other sessions end. Log-ins are few, and are waited for
    when they are throttled.
    """
    # pytest and httpx are an extra of the package.
    from keyhouse.conformance.runner import run  # noqa: PLC0415
    from keyhouse.conformance.target import Target, UnusableError  # noqa: PLC0415

    try:
        return run(Target(url, company, email, password, max_body_bytes), slow=slow, junit_xml=junit_xml, say=say)
    except UnusableError as error:
        raise Mistake(str(error)) from None
