"""A child process that does one thing and hands back what it came to, unless it is killed."""

from __future__ import annotations

import os
import pickle
import signal
import sys
import time
import traceback
import warnings
from pathlib import Path
from typing import Any, Callable

#: Between two looks whether the child has ended: from, and at most.
LOOK_S, LOOK_MAX_S = 0.0005, 0.02


class Killed(Exception):
    """The child died by SIGKILL."""


class Hung(Exception):
    """The child did not end in time, and was killed."""


class Died(Exception):
    """The child ended in another way, and has said nothing."""


def in_child(function: Callable[[], Any], hang_s: float, folder: Path) -> Any:
    """What a function comes to in a forked child; raises :class:`Killed`, :class:`Hung` and
    :class:`Died`.

    An error of the function is raised here, with its trace as a text.
    """
    answer = folder / "answer"
    answer.unlink(missing_ok=True)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()  # else the child would write it once more
    with warnings.catch_warnings():
        # Threads of the test are not there in the child, which uses nothing of theirs.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        _be_child(function, answer)
    status = _end_of(child, hang_s)
    if os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGKILL:
        raise Killed("the child process was killed")
    if not answer.exists():
        raise Died(f"its process ended with {_named(status)}")
    is_error, value = pickle.loads(answer.read_bytes())
    if is_error:
        raise RuntimeError(f"the child process failed:\n{value}")
    return value


def _be_child(function: Callable[[], Any], answer: Path) -> None:
    """Never returns: what the test would do next is its parent's."""
    try:
        try:
            said = pickle.dumps((False, function()))
        except BaseException:
            said = pickle.dumps((True, traceback.format_exc()))
        answer.write_bytes(said)
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
    finally:
        os._exit(0)


def _end_of(child: int, hang_s: float) -> int:
    """Waits for the end of the child, which does not outlive this call."""
    ends_at, look = time.monotonic() + hang_s, LOOK_S
    has_ended = False
    try:
        while time.monotonic() < ends_at:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                has_ended = True
                return status
            time.sleep(look)
            look = min(2 * look, LOOK_MAX_S)
        raise Hung
    finally:
        if not has_ended:
            os.kill(child, signal.SIGKILL)
            os.waitpid(child, 0)


def _named(status: int) -> str:
    if os.WIFSIGNALED(status):
        return f"the signal {signal.Signals(os.WTERMSIG(status)).name}"
    return f"exit status {os.WEXITSTATUS(status)}"
