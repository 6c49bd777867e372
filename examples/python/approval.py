"""A purchase that waits an hour, then for an approval, three days at most. No time passes here:
the clock is moved by hand.

usage: approval.py database
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from typing import Any

import smolwf


@smolwf.step
def order(amount: int) -> dict[str, int]:
    return {"order": 1}


@smolwf.workflow
def purchase(context: smolwf.Context, args: dict[str, int]) -> dict[str, Any]:
    context.sleep("cool-off", timedelta(hours=1))
    try:
        approval = context.signal("approval", timedelta(days=3))
    except smolwf.TimedOut:
        print("nobody answered")
        return {"approved_by": None, "order": None}
    ordered = order(args["amount"])
    print("ordered")
    return {"approved_by": approval["by"], **ordered}


def work(store: smolwf.Store, run_id: str, state: str) -> Any:
    """Works on what is due, and looks that the run is then in that state."""
    smolwf.Worker(store, [purchase]).run_once()
    run = store.run(run_id)
    if run["state"] != state:
        sys.exit(f"the run should be {state}, and is {run['state']}")
    return run["result"]


def buy(store: smolwf.Store, is_approved: bool) -> None:
    run_id = purchase.submit(store, {"amount": 1200})
    print("submitted a purchase of 1200")
    work(store, run_id, "waiting")
    print("parked: sleeping an hour")
    store.advance_clock(timedelta(hours=1))
    print("an hour later")
    work(store, run_id, "waiting")
    print("parked: waiting for approval, three days at most")
    if is_approved:
        store.signal(run_id, "approval", {"by": "ada"})
        print("ada approves")
    else:
        store.advance_clock(timedelta(days=3))
        print("three days later")
    result = work(store, run_id, "completed")
    print("result:", json.dumps(result, separators=(",", ":")))


def main() -> None:
    with smolwf.Store.open(sys.argv[1], manual_clock=True) as store:
        buy(store, is_approved=True)
        buy(store, is_approved=False)


if __name__ == "__main__":
    main()
