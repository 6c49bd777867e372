"""Durable workflows in one file: the Python client of libsmolwf.

    store = smolwf.Store.open("app.db")

    @smolwf.step
    def charge(order): ...

    @smolwf.workflow
    def invoice(context, order):
        receipt = charge(order)              # recorded once, replayed ever after
        context.sleep("cool-off", 3_600_000)  # holds no thread
        return receipt

    invoice.submit(store, 7)
    smolwf.Worker(store, [invoice]).run()

What may be slow, paid for, random or visible outside belongs into a step. The header of the
library, ``smolwf.h``, is the manual of everything that is promised.
"""

from __future__ import annotations

import json
from typing import Any

from . import documents, errors
from ._library import code_name, id_from, lib, library_path, text, text_from
from ._library import ffi as _ffi
from .async_calls import Durable
from .async_context import AsyncContext, AsyncStepScope, AsyncTold
from .async_store import AsyncStore
from .async_worker import AsyncWorker
from .attempt import Attempt
from .codes import FOREVER, LEASE_WHILE_ALIVE, Answer, Code, Durability
from .context import Context, StepScope, Used, current, on_child, on_signal, on_sleep, step_id
from .errors import *
from .options import (
    Action,
    ChildOptions,
    Duration,
    Instant,
    ListFilter,
    OpenOptions,
    QueueSettings,
    RetentionPolicy,
    RetentionRule,
    RunFilter,
    RunState,
    ScheduleSpec,
    StepOptions,
    SubmitOptions,
)
from .payload import JSON, TEXT, Codec, Json
from .rows import Rows
from .session import Told
from .step_functions import carry, step
from .step_transaction import StepTransaction
from .steps import Step
from .stop import Stop
from .store import Store
from .telling import Event, Hook
from .topic import RunId
from .transaction import Transaction
from .watch import Watch
from .worker import Worker
from .workflows import AsyncRunHandle, RunHandle, Workflow, workflow


def version() -> str:
    """The version of the library, not of this package."""
    found: bytes = _ffi.string(lib.sw_version())
    return found.decode("ascii")


def version_number() -> int:
    """``major << 16 | minor << 8 | patch`` of the library."""
    return int(lib.sw_version_number())


def build_info() -> dict[str, Any]:
    """What the library was built with."""
    found: dict[str, Any] = json.loads(_ffi.string(lib.sw_build_info()))
    return found


def new_id(prefix: str) -> str:
    """A new id, ``<prefix>_<ULID>``, greater than all of this prefix before in this process."""
    return id_from(lib.sw_new_id, *text(prefix))[1]


def json_quote(value: str) -> str:
    """A text as a JSON string, as the library writes it."""
    return text_from(lib.sw_json_quote, *text(value))[1] or ""


__all__ = [
    "FOREVER",
    "JSON",
    "LEASE_WHILE_ALIVE",
    "TEXT",
    "Action",
    "Answer",
    "AsyncContext",
    "AsyncRunHandle",
    "AsyncStepScope",
    "AsyncStore",
    "AsyncTold",
    "AsyncWorker",
    "Attempt",
    "BudgetError",
    "BusyError",
    "CallerError",
    "CancelledError",
    "CannotOpenError",
    "ChildFailed",
    "ChildOptions",
    "ClosedError",
    "Code",
    "Codec",
    "ConflictError",
    "Context",
    "CorruptError",
    "Durability",
    "Durable",
    "Duration",
    "EnvironmentFailure",
    "Error",
    "Event",
    "Failure",
    "ForgottenAwait",
    "ForkedError",
    "FullError",
    "Hook",
    "InputOutputError",
    "Instant",
    "InternalError",
    "InvalidError",
    "Json",
    "LeaseLostError",
    "LibraryError",
    "ListFilter",
    "Memoised",
    "MisuseError",
    "MovedError",
    "NoMemoryError",
    "NondeterminismError",
    "NotAStoreError",
    "NotFoundError",
    "NotJson",
    "OpenOptions",
    "OutsideWorkflow",
    "PanicError",
    "PoisonedError",
    "QueueSettings",
    "ReadOnlyError",
    "RetentionPolicy",
    "RetentionRule",
    "Rows",
    "RunFailed",
    "RunFilter",
    "RunHandle",
    "RunId",
    "RunState",
    "ScheduleSpec",
    "SchemaEditedError",
    "SchemaForeignError",
    "SchemaNewError",
    "SchemaOldError",
    "SecondCopyError",
    "StateError",
    "Step",
    "StepFailed",
    "StepOptions",
    "StepScope",
    "StepTransaction",
    "StepUnfinished",
    "Stop",
    "Stopping",
    "Store",
    "SubmitOptions",
    "Suspended",
    "TargetOlderError",
    "TimedOut",
    "Told",
    "TooBigError",
    "Transaction",
    "TransactionError",
    "UnsupportedError",
    "Used",
    "WalLostError",
    "Watch",
    "Worker",
    "Workflow",
    "build_info",
    "carry",
    "code_name",
    "current",
    "documents",
    "errors",
    "json_quote",
    "library_path",
    "new_id",
    "on_child",
    "on_signal",
    "on_sleep",
    "step",
    "step_id",
    "version",
    "version_number",
    "workflow",
]
