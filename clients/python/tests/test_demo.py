"""The demo: what it prints is what happened, and it leaves nothing behind."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

import smolwf
from smolwf import demo

from .conftest import REPOSITORY

SHOWN = """\
A run of 5 steps. The first process:
  page 1: read and recorded
  page 2: read and recorded
  page 3: read and recorded
  killed by SIGKILL
The second process:
  page 1: on record, not read again
  page 2: on record, not read again
  page 3: on record, not read again
  page 4: read and recorded
  page 5: read and recorded
The run is completed, and each of its 5 pages was read once.
"""


def shown(tmp_path: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Starts the demo where its temporary folder is ours."""
    package = str(REPOSITORY / "clients" / "python")
    env = {**os.environ, "TMPDIR": str(tmp_path), "PYTHONPATH": package}
    command = [sys.executable, "-m", "smolwf.demo", *arguments]
    return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True)


def test_a_killed_run_goes_on_and_nothing_is_left(tmp_path: Path) -> None:
    ended = shown(tmp_path)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, SHOWN, "")
    assert list(tmp_path.iterdir()) == []


def test_what_is_to_be_kept_is_there_and_is_not_written_over(tmp_path: Path) -> None:
    folder = tmp_path / "kept"
    assert shown(tmp_path, "--keep", str(folder)).returncode == 0
    with smolwf.Store.open(folder / "demo.db") as store:
        assert [run["state"] for run in store.list_runs()] == ["completed"]
    below_a_file = shown(tmp_path, "--keep", str(folder / "demo.db" / "more"))
    assert below_a_file.stderr.endswith("more cannot be made: Not a directory\n")
    again = shown(tmp_path, "--keep", str(folder))
    assert (again.returncode, again.stderr) == (
        1,
        f"{folder / 'demo.db'} is there already: name another folder\n",
    )


def test_it_fails_when_a_page_is_read_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "bill.txt").write_text("1\n")
    package = str(REPOSITORY / "clients" / "python")
    monkeypatch.setenv("PYTHONPATH", package)
    monkeypatch.setattr(demo, "say", lambda *_: None)
    assert demo.show(tmp_path).endswith("the pages that were read are 1 1 2 3 4 5")


def test_its_help_says_what_it_does(tmp_path: Path) -> None:
    said = shown(tmp_path, "--help").stdout
    assert "killed by SIGKILL" in said
    assert "--keep FOLDER" in said
