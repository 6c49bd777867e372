"""A worker of the soak. usage: soak_worker.py database ledger threads|asyncio"""

from __future__ import annotations

import asyncio
import functools
import logging
import os
import random
import sys
import threading
import time
from typing import Any

import smolwf
from smolwf import AsyncContext, Context

LEDGER = os.open(sys.argv[2], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def maybe_throw(likely: float) -> None:
    if random.random() < likely:
        raise RuntimeError("by chance")


def pay(what: str) -> str:
    """An effect that is counted outside, after some time that may be cut off."""
    maybe_throw(0.2)
    os.write(LEDGER, f"{os.getpid()} {what}\n".encode())
    time.sleep(random.random() * 0.02)  # the time of a call
    return what


async def pay_async(what: str) -> str:
    maybe_throw(0.2)
    os.write(LEDGER, f"{os.getpid()} {what}\n".encode())
    await asyncio.sleep(random.random() * 0.02)
    return what


STEP: Any = {"max_tries": 1_000, "backoff_initial_ms": 1, "backoff_max_ms": 20}
RUN: Any = {"max_tries": 1_000, "backoff_initial_ms": 1, "backoff_max_ms": 20}


def side_by_side(context: Context, names: list[str]) -> None:
    errors: list[BaseException] = []

    def one(name: str) -> None:
        try:
            what = f"{context.run_id} {name}"
            context.call(name, functools.partial(pay, what), **STEP)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=smolwf.carry(one), args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]


@smolwf.workflow(name="leaf")
def leaf(context: Context, args: Any) -> str:
    maybe_throw(0.1)
    found: str = context.call("leaf", functools.partial(pay, f"{context.run_id} leaf"), **STEP)
    return found


@smolwf.workflow(name="tree")
def tree(context: Context, args: Any) -> str:
    child = context.child("leaf", "leaf", **RUN)
    side_by_side(context, ["a", "b", "c"])
    maybe_throw(0.1)
    context.sleep("nap", 5)
    context.signal("go")
    context.result(child)
    maybe_throw(0.1)
    return "done"


@smolwf.workflow(name="leaf")
async def async_leaf(context: AsyncContext, args: Any) -> str:
    maybe_throw(0.1)
    work = functools.partial(pay_async, f"{context.run_id} leaf")
    found: str = await context.call("leaf", work, **STEP)
    return found


@smolwf.workflow(name="tree")
async def async_tree(context: AsyncContext, args: Any) -> str:
    child = await context.child("leaf", "leaf", **RUN)
    calls = []
    for name in ("a", "b", "c"):
        # One of them in a thread.
        work: Any = functools.partial(pay if name == "b" else pay_async, f"{context.run_id} {name}")
        calls.append(context.call(name, work, **STEP))
    await asyncio.gather(*calls)
    maybe_throw(0.1)
    await context.sleep("nap", 5)
    await context.signal("go")
    await context.result(child)
    maybe_throw(0.1)
    return "done"


async def main_async(path: str) -> None:
    async with await smolwf.AsyncStore.open(path) as store:
        await smolwf.AsyncWorker(store, [async_tree, async_leaf], concurrency=6).run()


def main(path: str) -> None:
    with smolwf.Store.open(path) as store:
        smolwf.Worker(store, [tree, leaf], threads=6).run()


if __name__ == "__main__":
    logging.getLogger("smolwf").setLevel(logging.CRITICAL)  # what fails here is meant to
    if sys.argv[3] == "asyncio":
        asyncio.run(main_async(sys.argv[1]))
    else:
        main(sys.argv[1])
