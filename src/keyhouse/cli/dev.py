"""`dev`: a server with something in it, and a line to try it with, without a word of configuration."""

import sys
from pathlib import Path
from typing import Any

from keyhouse import logs
from keyhouse.app import create_app, entrance
from keyhouse.cli import demo, listening
from keyhouse.cli.demo import Demo
from keyhouse.cli.output import say, show
from keyhouse.cli.parameters import AsJson, DataDir, Host, Port


def dev(
    host: Host = "127.0.0.1",
    port: Port = 8000,
    data_dir: DataDir = Path(".keyhouse"),
    as_json: AsJson = False,  # noqa: FBT002 - a flag of the command line
) -> None:
    """Serve a demo company, for development.

    Prints its login, an API key and a curl line that works. No KEYHOUSE_* variable and no .env is looked at; the data
    directory keeps everything for the next start. Log-ins are limited as in production, to 10 a minute. Logs go to
    standard error.
    """
    with listening.listen(host, port) as bound:
        prepared = demo.prepare(data_dir)
        logs.configure("console")
        told: dict[str, Any] = {
            "base_url": listening.url(bound),
            **prepared.demo.model_dump(include={"company_id", "email", "password", "api_key"}),
        }

        def announce() -> None:
            if as_json:
                show(told, as_json=True)
            else:
                _introduce(told["base_url"], prepared.demo, data_dir)
            sys.stdout.flush()

        listening.run(entrance(create_app(prepared.settings, secure_cookies=False)), bound, on_start=announce)


def _introduce(base_url: str, made: Demo, data_dir: Path) -> None:
    say(f"Keyhouse is at {base_url}\n")
    show(
        {"E-mail": made.email, "Password": made.password, "Company ID": made.company_id, "API key": made.api_key},
        as_json=False,
    )
    say("\nTry it, for the company's datasets:\n")
    path = f"/api/v1/companies/{made.company_id}/datasets/"
    say(f"curl -H 'Authorization: Bearer {made.api_key}' {base_url}{path}\n")
    say(f"All of it is kept in {data_dir}; Ctrl-C stops the server.")
