"""The example programs print the transcript that they print in every language."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from .conftest import REPOSITORY

CLIENT = REPOSITORY / "examples" / "python"


def start(program: str, *arguments: object, expect: int = 0) -> str:
    """Runs a program to its end; what it says, without its measurements."""
    done = subprocess.run(
        [sys.executable, f"programs/{program}.py", *map(str, arguments)],
        cwd=CLIENT,
        env={**os.environ, "PYTHONPATH": str(CLIENT)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == expect, done.stdout + done.stderr
    assert done.stderr == ""
    return "".join(line for line in done.stdout.splitlines(True) if not line.startswith("# "))


def expected(program: str) -> str:
    return (REPOSITORY / "examples" / "expected" / f"{program}.txt").read_text("utf-8")


def test_quickstart(tmp_path: Path) -> None:
    path = tmp_path / "quickstart.db"
    said = "$ quickstart crash\n" + start("quickstart", path, "crash", expect=-9)
    said += "$ quickstart\n" + start("quickstart", path)
    said += "$ quickstart\n" + start("quickstart", path)
    assert said == expected("quickstart")


def test_approval(tmp_path: Path) -> None:
    assert start("approval", tmp_path / "approval.db") == expected("approval")


def test_fanout(tmp_path: Path) -> None:
    assert start("fanout", tmp_path / "fanout.db") == expected("fanout")


def test_budget(tmp_path: Path) -> None:
    assert start("budget", tmp_path / "budget.db") == expected("budget")


def test_agent(tmp_path: Path) -> None:
    assert start("agent", tmp_path / "agent.db") == expected("agent")


def test_the_example_of_the_readme_does_what_it_says(tmp_path: Path) -> None:
    readme = (CLIENT / "README.md").read_text("utf-8")
    (tmp_path / "example.py").write_text(readme.split("```python\n")[1].split("```")[0])
    for _ in range(2):
        done = subprocess.run(
            [sys.executable, "example.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": str(CLIENT)},
            capture_output=True,
            text=True,
            timeout=120,
        )
        assert (done.stdout, done.stderr) == ("{'answer': 42}\n", "")
