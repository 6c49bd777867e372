"""What a call costs from Python, beside calls that do nothing. Use a release build of the library:

make build && SMOLWF_LIBRARY=target/release/libsmolwf.so python clients/python/bench.py
"""

from __future__ import annotations

import timeit
from functools import partial
from time import thread_time
from typing import Any, Callable

from cffi import FFI

import smolwf
from smolwf._library import NULL, ffi, lib, library_path
from smolwf.options import Options

ROUNDS, SECONDS = 7, 0.1


def ns(function: Callable[[], Any]) -> float:
    """The best of some rounds, without the loop around the call; time of this thread alone."""
    timer = timeit.Timer(function, timer=thread_time)
    empty = timeit.Timer("pass", timer=thread_time)
    count = max(1, int(SECONDS / (timer.timeit(1_000) / 1_000)))
    loop = min(empty.repeat(ROUNDS, count))
    return (min(timer.repeat(ROUNDS, count)) - loop) / count * 1e9


def empty() -> None: ...


def raw_new_id() -> None:
    lib.sw_new_id(b"run", 3, IDS, 64, ERR)


def raw_begin() -> None:
    lib.sw_step_begin(POINTER, b"step", 4, NULL, 0, FIRST.pointer, OUT, ERR)
    lib.sw_step_free(OUT[0])


def package_begin() -> None:
    ATTEMPT.step_begin("step", occurrence=1).free()


def replaying_attempt(store: smolwf.Store) -> smolwf.Attempt:
    """An attempt whose step an earlier one recorded."""
    store.submit("bench")
    for _ in range(2):
        attempt = store.claim()
        if attempt is None:
            raise SystemExit("there is nothing to claim")
        if attempt.number == 2:
            return attempt
        with attempt, attempt.step_begin("step") as step:
            step.complete({"answer": 42})
    raise SystemExit("the second attempt is not the second")


libc = FFI()
libc.cdef("int abs(int);")
IDS, ERR, OUT = ffi.new("char[64]"), ffi.new("sw_error **"), ffi.new("sw_step **")
FIRST = Options("sw_step_options", {"occurrence": 1})
with smolwf.Store.open_in_memory() as opened:
    ATTEMPT = replaying_attempt(opened)
    POINTER = ATTEMPT.held.__enter__()
    nothing: Any = libc.dlopen(None)
    nothing = nothing.abs
    rows: list[tuple[str, Callable[[], Any]]] = [
        ("an empty Python function", empty),
        ("an empty C call through cffi (abs)", partial(nothing, 0)),
        ("sw_abi_version", lib.sw_abi_version),
        ("sw_new_id", raw_new_id),
        ("smolwf.new_id", partial(smolwf.new_id, "run")),
        ("sw_step_begin, replayed, and sw_step_free", raw_begin),
        ("attempt.step_begin, replayed, and free", package_begin),
    ]
    print(f"{library_path}, smolwf {smolwf.version()}; ns a call, best of {ROUNDS}")
    for name, function in rows:
        print(f"{ns(function):8.0f}  {name}")
    ATTEMPT.held.__exit__(None, None, None)
    ATTEMPT.free()
