"""The work of a peer: steps of a workflow, and workflows through a queue, in DBOS.

python of_dbos.py <folder> <seconds>    prints what it did a second, as JSON

On SQLite in that folder, or in the PostgreSQL of SW_POSTGRES_URL: scripts/postgres.sh.
"""

import json
import os
import sys
import time
from pathlib import Path

from dbos import DBOS, DBOSConfig

RESULT = {"text": "y" * 189}
# Through the queue at once, so that how often it looks there weighs little.
RUNS = 200


@DBOS.step()
def step() -> dict[str, str]:
    return RESULT


@DBOS.workflow()
def steps(seconds: float) -> float:
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        step()
        done += 1
    return done / (time.monotonic() - began)


@DBOS.workflow()
def nothing() -> bool:
    return True


def through_the_queue(seconds: float) -> float:
    began, done = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        handles = [DBOS.enqueue_workflow("q", nothing) for _ in range(RUNS)]
        for handle in handles:
            handle.get_result(polling_interval_sec=0.01)
        done += RUNS
    return done / (time.monotonic() - began)


def main() -> None:
    folder, seconds = Path(sys.argv[1]), float(sys.argv[2])
    url = os.environ.get("SW_POSTGRES_URL", f"sqlite:///{folder / 'peer.sqlite'}")
    config: DBOSConfig = {
        "name": "peer",
        "system_database_url": url,
        "log_level": "ERROR",
        "run_admin_server": False,
    }
    DBOS(config=config)
    DBOS.launch()
    DBOS.register_queue("q", polling_interval_sec=0.01)
    steps(0.2)
    print(json.dumps({"steps": steps(seconds), "runs": through_the_queue(seconds)}))
    DBOS.destroy()


main()
