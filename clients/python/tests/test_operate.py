"""What docs/OPERATE.md shows in Python is run, as it stands there, and does what the page says."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import smolwf

from .conftest import REPOSITORY, claim

PAGE = (REPOSITORY / "docs" / "OPERATE.md").read_text("utf-8")


def shown() -> list[str]:
    """Blocks and, between backticks, calls, in the page's order."""
    found = re.findall(r"```python\n(.*?)```|```\w+\n.*?```|`([^`]+)`", PAGE, re.DOTALL)
    spans = [block or span.replace("\n", " ") for block, span in found]
    return [it for it in spans if re.match(r"chosen = |store\.|Store\.|for event in", it)]


def test_what_the_page_shows_does_what_it_says(tmp_path: Path, capsys: Any) -> None:
    path = tmp_path / "shown.db"
    with smolwf.Store.open(path) as store:
        run_id = store.submit("invoice", queue="billing", max_tries=1)
        with claim(store, "billing") as attempt:
            attempt.event_append("progress", {"done": 3})
            attempt.fail({"message": "bank: connection refused"})
        store.cancel(store.submit("old"))
        store.submit("ship", queue="reports", metadata={"tenant": "acme"})
        given = {
            "store": store,
            "Store": smolwf.Store,
            "path": path,
            "copy": tmp_path / "copy.db",
            "run_id": run_id,
            "after_seq": 0,
            "midnight": store.now_ms() - 60_000,
            "now": store.now_ms() + 1,
        }
        calls = shown()
        assert len(calls) >= 9, calls
        for call in calls:
            if call.startswith("Store."):
                eval(call, given).close()
            else:
                body = ":\n    told = event\n    break" if call.startswith("for ") else ""
                exec(call + body, given)
        printed = capsys.readouterr().out
        assert printed.startswith("{'matched': 1, ")
        assert all(f"# {line}\n" in PAGE for line in printed.splitlines()), printed
        assert store.count_runs(state="cancelled") == 0
        assert store.run(run_id)["state"] == "pending"
        assert [run["state"] for run in store.list_runs(workflow="ship")] == ["paused"]
        found = [run["run_id"] for run in store.list_runs(metadata={"case": 7})]
        assert found[1:] == [run_id], "behind the copy that is imported"
        told: Any = given["told"]
        assert told["payload"] == {"done": 3}
