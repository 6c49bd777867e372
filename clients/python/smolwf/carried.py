"""What an error carries: a suspend inside of it, the errors of a group, a real interrupt."""

from __future__ import annotations

import threading
from typing import Optional

from .errors import BudgetError, Failure, Memoised, Suspended, TransactionError


def members(error: BaseException) -> tuple[BaseException, ...]:
    """The errors of a group, Python's own (3.11) or that of the backport; of another, none."""
    if any(base.__name__ == "BaseExceptionGroup" for base in type(error).__mro__):
        return tuple(getattr(error, "exceptions", ()))
    return ()


def wrapped(error: BaseException) -> Optional[BaseException]:
    """The error that this one names as its cause, or was raised in the handling of."""
    if error.__cause__ is not None or error.__suppress_context__:
        return error.__cause__
    return error.__context__


def is_suspend(error: BaseException) -> bool:
    """Whether it is a suspend, wraps one, or is a group of nothing else."""
    seen: set[int] = set()
    at: Optional[BaseException] = error
    while at is not None and id(at) not in seen:
        if isinstance(at, (Suspended, BudgetError)):
            return True
        seen.add(id(at))
        inside = members(at)
        if inside:
            return all(map(is_suspend, inside))
        at = wrapped(at)
    return False


def failure_in(error: BaseException) -> BaseException:
    """What of an error is its failure: of a group, that which is no suspend, if it is one."""
    failures = [each for each in members(error) if not is_suspend(each)]
    return failure_in(failures[0]) if len(failures) == 1 else error


def is_terminal(error: BaseException) -> bool:
    """Whether another try would fail in the same way."""
    inside = members(error)
    if inside:
        return all(is_terminal(each) for each in inside if not is_suspend(each))
    if isinstance(error, Failure):
        return error.terminal
    return isinstance(error, (Memoised, TransactionError))


def is_interrupt(error: BaseException) -> bool:
    """Whether somebody pressed Ctrl-C: Python tells the main thread of that, and no other."""
    is_main = threading.current_thread() is threading.main_thread()
    return isinstance(error, KeyboardInterrupt) and is_main
