"""What a crash does to a workflow, and whether new code replays what old code recorded.

    from smolwf import testing

    def test_order():
        testing.crash(order, {"id": 7}).check()

:func:`crash` runs a workflow once, then once for each commit that it makes and once more, with the
process killed right before and right after that commit. :func:`effect` is what the fakes of a test
call where the world outside would be touched: what happened twice because of a kill is found.
:func:`replay` runs recorded histories, exports of runs, against the code as it is now.
"""

from __future__ import annotations

from .crash import CleanRunFailed, TooManyCommits, crash
from .effects import effect
from .replay import replay
from .report import Difference, Finding, ReplayReport, Report

__all__ = [
    "CleanRunFailed",
    "Difference",
    "Finding",
    "ReplayReport",
    "Report",
    "TooManyCommits",
    "crash",
    "effect",
    "replay",
]
