"""Runs the workflow `report`: plans in Python, has C++ count and Go shout, waits for Node's word.

usage: orchestrate.py database
"""

from __future__ import annotations

import sys
from typing import Any

import smolwf

#: The same value in every language, written as each likes: its hash is the same.
INPUT = {"deadline": 1.0, "team": ["ä", "b"]}


@smolwf.workflow
def report(context: smolwf.Context, words: list[str]) -> dict[str, Any]:
    plan = context.call("plan", lambda: [word.lower() for word in words], input=INPUT)
    children = context.children(
        [
            {"name": "count", "workflow": "count", "queue": "cpp", "args": plan},
            {"name": "shout", "workflow": "shout", "queue": "go", "args": plan},
        ]
    )
    count, shout = context.wait_all("both", map(smolwf.on_child, children))
    word = context.signal("release")
    return {"count": count["value"], "shout": shout["value"], "released_by": word["by"]}


def main() -> None:
    with smolwf.Store.open(sys.argv[1]) as store:
        smolwf.Worker(store, [report], queue="python").run()


if __name__ == "__main__":
    main()
