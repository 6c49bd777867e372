"""One parent, a thousand children, four worker processes, two of them killed.

usage: fanout.py database [worker]
"""

from __future__ import annotations

import random
import subprocess
import sys
import time

import smolwf

CHILDREN = 1000


@smolwf.workflow
def square(context: smolwf.Context, n: int) -> int:
    result: int = context.call("square", lambda: n * n)
    return result


@smolwf.workflow
def total(context: smolwf.Context, args: None) -> int:
    children = context.children(
        {"name": "square", "workflow": square.name, "args": n, "queue": "children"}
        for n in range(1, CHILDREN + 1)
    )
    ended = context.wait_all("join", map(smolwf.on_child, children))
    return sum(child["value"] for child in ended)


def expect(is_so: bool, otherwise: str) -> None:
    if not is_so:
        sys.exit(otherwise)


def worker(path: str) -> None:
    """Works on children until the main process closes the pipe."""
    with smolwf.Store.open(path) as store, smolwf.Worker(store, [square], queue="children"):
        sys.stdin.read()


def children_of(store: smolwf.Store, run_id: str) -> list[smolwf.documents.ChildRecord]:
    return store.history(run_id, limit=10_000)["children"]


def kill_two(store: smolwf.Store, run_id: str, workers: list[subprocess.Popen[str]]) -> None:
    """Kills two workers, each when a random number of children has ended."""
    for at in sorted(random.randint(100, 500) for _ in range(2)):
        ended = 0
        while ended < at:
            ended = sum(child["state"] == "completed" for child in children_of(store, run_id))
            time.sleep(0.01)  # the next look at the children
        expect(ended <= 900, f"{ended} children had ended before a worker was killed")
        killed = workers.pop()
        killed.kill()
        killed.wait()


def main(path: str) -> None:
    with smolwf.Store.open(path) as store:
        run_id = total.submit(store, queue="parents")
        parent = smolwf.Worker(store, [total], queue="parents")
        parent.run_once()
        children = [child["run_id"] for child in children_of(store, run_id)]
        expect(len(children) == CHILDREN, f"there are {len(children)} children")
        print(f"one parent submitted {CHILDREN} children in one commit")

        command = [sys.executable, __file__, path, "worker"]
        workers = [subprocess.Popen(command, stdin=subprocess.PIPE, text=True) for _ in range(4)]
        kill_two(store, run_id, workers)
        print("2 of 4 workers were killed")

        parent.run_once(wait_ms=60_000)
        run = store.run(run_id)
        expect(run["state"] == "completed", f"the parent is {run['state']}")
        expect(run["attempts"] == 2, f"the parent had {run['attempts']} attempts")
        print("the parent woke once")
        print(f"the sum is {run['result']}")

        for each in workers:
            each.communicate()
        for n, child in enumerate(children, 1):
            history = store.history(child)
            expect(history["run"]["result"] == n * n, f"child {n} is {history['run']['state']}")
            steps = [(step["name"], step["state"]) for step in history["steps"]]
            expect(steps == [("square", "completed")], f"child {n} recorded {steps}")
        print("every child's result was recorded once")


if __name__ == "__main__":
    if sys.argv[2:] == ["worker"]:
        worker(sys.argv[1])
    else:
        main(sys.argv[1])
