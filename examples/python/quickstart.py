"""Asks an expensive question once. Run it with "crash", then without, then without again.

usage: quickstart.py database [crash]
"""

from __future__ import annotations

import json
import os
import signal
import sys
from typing import Any

import smolwf


def ask_the_model() -> dict[str, int]:
    """Stands for the call that costs money."""
    print("asking the model")
    return {"answer": 42}


@smolwf.workflow
def ask(context: smolwf.Context, question: str) -> Any:
    with context.step("answer") as step:
        if step.is_todo:
            step.complete(ask_the_model())  # from here on, no crash can lose it
            print("recorded:", json.dumps(step.result))
        else:
            print("replayed, not asked again:", json.dumps(step.result))
    if sys.argv[2:] == ["crash"]:
        sys.stdout.flush()
        os.kill(os.getpid(), signal.SIGKILL)  # the step is recorded, the run is not finished
    return step.result


def main() -> None:
    with smolwf.Store.open(sys.argv[1]) as store:
        # One key is one run, however often this program is started.
        ask.submit(store, "why?", idempotency_key="question 1")
        # Whoever claims it works on it. If its worker is killed, it is free within a second.
        if smolwf.Worker(store, [ask]).run_once(wait_ms=1_000):
            print("the run is finished")
        else:
            print("nothing to do: the run has ended")


if __name__ == "__main__":
    main()
