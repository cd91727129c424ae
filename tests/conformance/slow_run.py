"""A run with `--slow` on a clock that is moved instead of waited for: server and suite are in one process.

Takes the options of `keyhouse conformance` that matter here, a folder for the database, and the file of the report.
"""

import asyncio
import sys
import threading
from concurrent.futures import Future
from pathlib import Path

import uvicorn

from keyhouse import create_app, logs
from keyhouse.conformance.runner import run
from keyhouse.conformance.target import Target
from keyhouse.db import migrations
from keyhouse.testing.mint import Admin, settle
from keyhouse.testing.process import _Server

sys.path.insert(0, str(Path(__file__).parents[1]))

from support.clock import MovableClock
from support.world import settings_for


async def serve(folder: str, clock: MovableClock, told: Future[tuple[int, Admin]]) -> None:
    # Enough for the checks, and few enough for the last one, which tries too often.
    app = create_app(settings_for(f"sqlite:///{folder}/keyhouse.db", login_rate="25/minute"), clock=clock)
    await migrations.upgrade(app.state.keyhouse.database)
    admin = await settle(app.state.keyhouse, "Acme", "admin@example.com")
    server = _Server(uvicorn.Config(app, host="127.0.0.1", port=0, log_config=None, access_log=False, ws="none"))
    server.port.add_done_callback(lambda port: told.set_result((port.result(), admin)))
    await server.serve()


def main() -> None:
    logs.silence()
    folder, report = sys.argv[1:]
    clock = MovableClock()
    told: Future[tuple[int, Admin]] = Future()
    threading.Thread(target=lambda: asyncio.run(serve(folder, clock, told)), daemon=True).start()
    port, admin = told.result(60)
    target = Target(f"http://127.0.0.1:{port}", admin.company_id, admin.email, admin.password)
    sys.exit(run(target, slow=True, junit_xml=Path(report), pause=clock.advance))


main()
