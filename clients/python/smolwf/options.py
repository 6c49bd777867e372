"""Options by keyword, and how they become the structs of the header."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Literal, Optional, TypedDict, Union

from ._library import NULL, ffi, lib
from .errors import InvalidError
from .payload import JSON, Codec, compact

#: milliseconds, or a timedelta
Duration = Union[int, timedelta]
#: Unix milliseconds, or a datetime that knows its zone
Instant = Union[int, datetime]

RunState = Literal["pending", "running", "waiting", "paused", "completed", "failed", "cancelled"]
#: a payload that a list shows when asked; ``error`` brings ``last_error`` along
Payload = Literal["args", "result", "error", "metadata", "waiting_for"]
#: what is done with many runs at once
Action = Literal["cancel", "pause", "resume", "retry"]


class OpenOptions(TypedDict, total=False):
    """Of a store; what is left out is the library's default."""

    no_create: bool
    read_only: bool
    manual_clock: bool
    allow_network_fs: bool
    busy_timeout_ms: Duration
    durability: int
    max_readers: int
    lease_default_ms: Duration
    payload_bytes_max: int


class ChildOptions(TypedDict, total=False):
    """Of a child run: what a root run has, but for a key and a budget of its own."""

    local: bool
    queue: str
    run_at_ms: Instant
    timeout_ms: Duration
    backoff_initial_ms: Duration
    backoff_max_ms: Duration
    priority: int
    max_tries: int
    backoff_percent: int
    concurrency_key: str
    code_version: str
    metadata: Mapping[str, Any]


class SubmitOptions(ChildOptions, total=False):
    """Of a run that is submitted."""

    idempotency_key: str
    idempotency_scope: str
    budget: Mapping[str, int]


class QueueSettings(TypedDict, total=False):
    """Of a queue: limits on runs that are held by attempts at once; None is no limit."""

    concurrency: Optional[int]
    #: among runs that share a ``concurrency_key``
    concurrency_per_key: Optional[int]
    #: nothing is claimed
    paused: Optional[bool]


class ScheduleSpec(TypedDict, total=False):
    """Of a schedule: ``workflow``, and one of ``cron`` and ``every_ms``, must be there."""

    workflow: str
    args: Any
    queue: str
    #: five fields, or six with the seconds first
    cron: str
    every_ms: int
    #: name in the IANA database; UTC unless named
    timezone: str
    #: ``"skip"`` while the last run is open (the default), or ``"queue"``
    overlap: str
    #: of firings that passed unseen: ``"last"`` (the default), ``"none"``, ``"all"``
    catch_up: str
    paused: bool


class RunFilter(TypedDict, total=False):
    """Which runs are meant: those for which everything named here holds; all if nothing is."""

    #: one, or any of several
    state: Union[RunState, Sequence[RunState], None]
    workflow: Optional[str]
    queue: Optional[str]
    code_version: Optional[str]
    #: the name that the claim gave: of the running attempt, or else of the newest that ended
    worker: Optional[str]
    #: direct children of this run
    parent_run_id: Optional[str]
    #: the whole tree of this run, itself included
    root_run_id: Optional[str]
    #: only runs without a parent
    roots_only: Optional[bool]
    #: half open: ``from <= created < to``
    created_from_ms: Optional[Instant]
    created_to_ms: Optional[Instant]
    #: likewise; either leaves out runs that have not ended
    finished_from_ms: Optional[Instant]
    finished_to_ms: Optional[Instant]
    #: 1 to 16 top-level members that are there and equal; numbers by their value
    metadata: Optional[Mapping[str, Union[str, int, float, bool, None]]]
    #: alone, all runs whose key counts in this scope: a workflow's name, unless another was given
    idempotency_scope: Optional[str]
    #: in ``idempotency_scope``, or else of ``workflow``, or else in the scope that all share
    idempotency_key: Optional[str]
    #: the JSON of ``error``, or of an open run's ``last_error``, contains this text
    error_contains: Optional[str]
    #: whether a running attempt was told to end, and has not done so yet
    cancel_asked: Optional[bool]
    #: of submission; newest first unless named
    order: Optional[Literal["newest", "oldest"]]


class ListFilter(RunFilter, total=False):
    """Of a list, which shows no payloads but those that are named."""

    include: Optional[Sequence[Payload]]


class RetentionRule(TypedDict, total=False):
    """For how long the ended runs of a workflow stay, and how many; None is what holds for all."""

    #: from the end of a run that ended so
    completed_ms: Optional[Duration]
    failed_ms: Optional[Duration]
    cancelled_ms: Optional[Duration]
    #: so many of the newest stay, whatever their age
    keep_newest: Optional[int]


class RetentionPolicy(RetentionRule, total=False):
    """The same of every workflow. Without a time for how a run ended, it stays for ever, unless
    ``keep_newest`` alone is given: then all but the newest go."""

    #: what else holds for the runs of these, member by member
    workflows: Optional[Mapping[str, RetentionRule]]


class StepOptions(TypedDict, total=False):
    """Of a step; ``track`` records its start, ``cleanup`` lets it begin on a cancelled run."""

    track: bool
    cleanup: bool
    kind: str
    occurrence: int
    durability: int
    max_tries: int
    backoff_initial_ms: Duration
    backoff_max_ms: Duration


FLAGS = {
    "no_create": "SW_OPEN_NO_CREATE",
    "read_only": "SW_OPEN_READ_ONLY",
    "manual_clock": "SW_OPEN_MANUAL_CLOCK",
    "allow_network_fs": "SW_OPEN_ALLOW_NETWORK_FS",
    "local": "SW_SUBMIT_LOCAL",
    "track": "SW_STEP_TRACK",
    "cleanup": "SW_STEP_CLEANUP",
    "terminal": "SW_FAIL_TERMINAL",
}


def milliseconds(value: Duration) -> int:
    """A duration as the library counts it; a part of a millisecond is rounded up."""
    if isinstance(value, timedelta):
        return -(-value // timedelta(milliseconds=1))
    return value


def timeout(value: Optional[Duration]) -> int:
    """A time-out as the library counts it; None has no limit."""
    counted = -1 if value is None else milliseconds(value)
    if counted < -1:
        raise InvalidError(-2, f"a time-out is {counted} ms, below 0", "SW_ERR_INVALID")
    return counted


@functools.cache
def _layout(struct: str) -> tuple[Any, frozenset[str], int]:
    """The type of a pointer to a struct, the names of its fields, its size."""
    of = ffi.typeof(struct)
    return ffi.typeof(f"{struct} *"), frozenset(name for name, _ in of.fields), ffi.sizeof(of)


class Options:
    """A filled struct, and the texts it points to for as long as it lives."""

    def __init__(self, struct: str, values: Mapping[str, Any]) -> None:
        self._texts: list[Any] = []
        if not values:
            self.pointer = NULL  # all defaults
            return
        pointer_type, self._fields, size = _layout(struct)
        self.pointer = ffi.new(pointer_type)
        self.pointer.struct_size = size
        for name, value in values.items():
            if value is not None:
                self._set(name, value)

    def _set(self, name: str, value: Any) -> None:
        if name in FLAGS:
            self.pointer.flags |= getattr(lib, FLAGS[name]) if value else 0
        elif isinstance(value, str):
            self._set_text(name, value)
        elif isinstance(value, (Mapping, list)):
            self._set_text(name, compact(value))
        elif name not in self._fields:
            raise TypeError(f"there is no option {name}")
        else:
            try:
                setattr(self.pointer, name, number(value))
            except OverflowError:
                raise InvalidError(
                    -2, f"{name} is {value}, beyond what its type holds", "SW_ERR_INVALID"
                ) from None

    def _set_text(self, name: str, value: str) -> None:
        if f"{name}_len" not in self._fields:
            raise TypeError(f"there is no option {name} of text")
        encoded = value.encode("utf-8")
        held = ffi.new("char[]", encoded)
        self._texts.append(held)
        setattr(self.pointer, name, held)
        setattr(self.pointer, f"{name}_len", len(encoded))


def fail_options(terminal: bool, retry_after_ms: Duration) -> Options:
    chosen = {"terminal": terminal, "retry_after_ms": retry_after_ms}
    return Options("sw_fail_options", chosen if terminal or retry_after_ms else {})


def number(value: Any) -> Any:
    """A value of an option as the struct and the documents take it."""
    if isinstance(value, timedelta):
        return milliseconds(value)
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise ValueError("a datetime without a zone is no instant")
        return round(value.timestamp() * 1000)
    return value


def filter_json(filter: Mapping[str, Any]) -> str:
    """A filter as the library takes it; what is None is left out."""
    return JSON.write({key: number(value) for key, value in filter.items() if value is not None})


def policy_json(policy: Mapping[str, Any]) -> str:
    """A policy as the library takes it; what is None is left out, in its entries too."""

    def written(value: Any) -> Any:
        if not isinstance(value, Mapping):
            return number(value)
        return {key: written(each) for key, each in value.items() if each is not None}

    return JSON.write(written(policy))


def item(fields: Mapping[str, Any], codec: Codec) -> str:
    """One run of a submit of many, as JSON; ``args`` are written by the codec."""
    written = [
        f"{compact(name)}:{codec.write(value) if name == 'args' else compact(number(value))}"
        for name, value in fields.items()
        if value is not None or name == "args"
    ]
    return "{" + ",".join(written) + "}"


def scope_of(named: Optional[str], workflow: Optional[str]) -> Optional[str]:
    """The scope of a key: None is the one that all workflows share."""
    return (workflow if named is None else named) or None


def scoped(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    """Fields whose key, if there is one, has the scope that a submit gives it."""
    if fields.get("idempotency_key") is None:
        return fields
    scope = scope_of(fields.get("idempotency_scope"), fields.get("workflow"))
    return {**fields, "idempotency_scope": scope}
