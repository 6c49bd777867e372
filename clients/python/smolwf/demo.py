"""Shows in a few lines that a run goes on where a killed process stopped.

python -m smolwf.demo
"""

from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Optional

import smolwf

PAGES = 5
#: The first process is killed after this page.
LAST_PAGE = 3
#: How long the second process waits for the run of the killed one, in milliseconds.
PATIENCE_MS = 30_000


def say(*words: object) -> None:
    print(*words, flush=True)


def read(folder: Path, page: int) -> str:
    """Stands for a call that costs money: each one is noted in a file."""
    with (folder / "bill.txt").open("a") as bill:
        bill.write(f"{page}\n")
    return f"summary of page {page}"


def work(folder: Path, is_killed: bool) -> None:
    """Is one process: claims the run and reads its pages, each in a step."""

    @smolwf.workflow(name="report")
    def report(context: smolwf.Context, pages: int) -> list[Any]:
        summaries = []
        for page in range(1, pages + 1):
            with context.step("read a page") as step:
                if step.is_todo:
                    step.complete(read(folder, page))
                    say(f"  page {page}: read and recorded")
                else:
                    say(f"  page {page}: on record, not read again")
            summaries.append(step.result)
            if is_killed and page == LAST_PAGE:
                os.kill(os.getpid(), signal.SIGKILL)
        return summaries

    with smolwf.Store.open(folder / "demo.db") as store:
        report.submit(store, PAGES, idempotency_key="demo")
        smolwf.Worker(store, [report]).run_once(wait_ms=PATIENCE_MS)


def start(folder: Path, *options: str) -> int:
    """Starts a process that works, and returns its status when it has ended."""
    command = [sys.executable, "-m", "smolwf.demo", "--work", str(folder), *options]
    with subprocess.Popen(command) as child:
        return child.wait()


def show(folder: Path) -> str:
    """Runs two processes; returns what is wrong with what they did, or nothing."""
    say(f"A run of {PAGES} steps. The first process:")
    if start(folder, "--killed") != -signal.SIGKILL:
        return "the first process was to be killed by SIGKILL, and was not"
    say("  killed by SIGKILL\nThe second process:")
    if start(folder) != 0:
        return "the second process failed"
    with smolwf.Store.open(folder / "demo.db") as store:
        state = store.run(str(store.find("demo", "report")))["state"]
    pages = (folder / "bill.txt").read_text().split()
    if state != "completed" or pages != [str(page) for page in range(1, PAGES + 1)]:
        return f"the run is {state}, the pages that were read are {' '.join(pages)}"
    say(f"The run is completed, and each of its {PAGES} pages was read once.")
    return ""


def show_in(folder: Path) -> str:
    """The same in a folder that is kept."""
    if (folder / "demo.db").exists():
        return f"{folder / 'demo.db'} is there already: name another folder"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return f"{folder} cannot be made: {error.strerror}"
    wrong = show(folder)
    say(f"Look at it: swctl {folder / 'demo.db'} ls")
    return wrong


def main(arguments: Optional[Sequence[str]] = None) -> None:
    about = "Works on a run in a process that is killed by SIGKILL, and goes on in another one."
    parser = argparse.ArgumentParser(prog="python -m smolwf.demo", description=about)
    keep = "where the store is made and stays; without it, in a folder that is taken away"
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help=keep)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--killed", action="store_true", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.work:
        work(asked.work, asked.killed)
    elif asked.keep:
        sys.exit(show_in(asked.keep) or 0)
    else:
        with tempfile.TemporaryDirectory(prefix="smolwf-demo-") as folder:
            sys.exit(show(Path(folder)) or 0)


if __name__ == "__main__":
    main()
