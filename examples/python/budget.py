"""A team of eight that shares a budget of tokens, and stops when it is used up.

usage: budget.py database
"""

from __future__ import annotations

import random
import sys
import time
from itertools import count
from typing import Any

import smolwf

MEMBERS, TOKENS, RAISE = 8, 100_000, 10_000
ESTIMATE_MIN, ESTIMATE_MAX = 200, 1000


@smolwf.workflow
def member(context: smolwf.Context, args: None) -> None:
    """Makes calls until it is told to stop."""
    for _ in count():
        kind = random.choice(["draft", "review"])
        with context.step("call", kind=kind) as step:
            if step.is_todo:
                estimate = random.randint(ESTIMATE_MIN, ESTIMATE_MAX)
                context.reserve({"tokens": estimate}, step)  # parks the member when it is too much
                used = random.randint(estimate // 2, estimate * 3 // 2)
                step.complete({"tokens": used}, usage={"tokens": used})


@smolwf.workflow
def team(context: smolwf.Context, args: None) -> None:
    members = [context.child("member", member.name) for _ in range(MEMBERS)]
    context.wait_all("join", map(smolwf.on_child, members))


def expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        sys.exit(otherwise)


def members_of(store: smolwf.Store, run_id: str) -> list[str]:
    return [child["run_id"] for child in store.history(run_id)["children"]]


def wait_until_all_are_parked(store: smolwf.Store, run_id: str) -> list[str]:
    """All are parked at one moment when two looks in a row find the same attempts parked."""
    before: list[Any] = []
    while True:
        members = members_of(store, run_id)
        runs = [store.run(each) for each in members]
        now = [(run["state"], run["attempts"]) for run in runs]
        if len(now) == MEMBERS and now == before and all(state == "waiting" for state, _ in now):
            return members
        is_over = [state for state, _ in now if state in ("completed", "failed", "cancelled")]
        expect(not is_over, f"a member is {is_over[:1]}")
        before = now
        time.sleep(0.02)  # parking rings no bell, so this looks again


def check_budget(store: smolwf.Store, run_id: str, limit: int) -> int:
    """Looks that every reserve held to the limit; only what a settled call cost may go above."""
    unit = store.budget(run_id)["units"]["tokens"]
    overrun = MEMBERS * (ESTIMATE_MAX // 2)
    expect(unit["limit"] == limit, f"the limit is {unit['limit']}")
    expect(unit["reserved"] == 0, f"{unit['reserved']} are reserved by parked members")
    expect(unit["spent"] <= limit + overrun, f"{unit['spent']} of {limit} are spent")
    expect(limit - unit["spent"] < ESTIMATE_MAX, f"parked with {unit['spent']} of {limit} spent")
    return unit["spent"]


def main() -> None:
    with smolwf.Store.open(sys.argv[1]) as store:
        run_id = team.submit(store, budget={"tokens": TOKENS})
        print(f"a team of {MEMBERS} shares {TOKENS} tokens")
        with smolwf.Worker(store, [team, member], threads=MEMBERS):
            wait_until_all_are_parked(store, run_id)
            before = check_budget(store, run_id, TOKENS)
            print(f"the limit was reached: {MEMBERS} members are parked")
            store.budget_raise(run_id, "tokens", RAISE)
            members = wait_until_all_are_parked(store, run_id)
            spent = check_budget(store, run_id, TOKENS + RAISE)
            expect(spent > before, "nobody went on after the raise")
            print(f"raised by {RAISE}: work went on")
            print("the limit was reached again")
            print("no reserve went above the limit")
            store.cancel(run_id, {"tokens": spent})
        steps = [step for each in members for step in store.history(each, limit=10_000)["steps"]]
        paid = sum(step["result"]["tokens"] for step in steps if step["result"])
        ledger = store.budget(run_id)["totals"]
        booked = sum(total["spent"] for total in ledger)
        expect(spent == booked == paid, f"spent {spent}, in the ledger {booked}, paid {paid}")
        print("spent is the sum of the ledger")
        entries = sum(total["entries"] for total in ledger)
        print(f"# spent {spent}, limit {TOKENS + RAISE}, entries {entries}")
        for total in ledger:
            print(f"# {total['kind']}: spent {total['spent']}, entries {total['entries']}")


if __name__ == "__main__":
    main()
