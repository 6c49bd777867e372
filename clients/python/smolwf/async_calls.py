"""Durable calls on an event loop: in threads of a pool, and never lost by a cancel."""

from __future__ import annotations

import asyncio
import contextvars
import functools
import threading
from collections import deque
from collections.abc import Coroutine
from concurrent.futures import Executor
from typing import Any, Callable, Optional, TypeVar

from .async_ring import Ring, until_done
from .context import steps_around
from .errors import ClosedError
from .session import LOOK_S, Session
from .telling import Facts, Hook, Teller

T = TypeVar("T")
#: What makes two calls the same: what is asked for, and its name.
Key = tuple[str, Any]


class Durable(Coroutine[Any, Any, T]):
    """A durable call that is made when it is awaited. It may be made a task, as a coroutine may;
    if nobody awaits it, its workflow fails."""

    def __init__(
        self, name: str, make: Callable[[], Coroutine[Any, Any, T]], unawaited: set[Durable[Any]]
    ) -> None:
        self.__name__ = self.__qualname__ = name
        self._make = make
        self._made: Optional[Coroutine[Any, Any, T]] = None
        self._unawaited = unawaited
        unawaited.add(self)

    def _begun(self) -> Coroutine[Any, Any, T]:
        if self._made is None:
            self._unawaited.discard(self)
            self._made = self._make()
        return self._made

    def __await__(self) -> Any:
        return self._begun().__await__()

    def send(self, value: Any) -> Any:
        """As of a coroutine: goes on with it."""
        return self._begun().send(value)

    def throw(self, *raised: Any) -> Any:
        """As of a coroutine: raises in it where it waits."""
        return self._begun().throw(*raised)

    def close(self) -> None:
        """As of a coroutine: ends it."""
        self._unawaited.discard(self)
        if self._made is not None:
            self._made.close()


class LoopTeller(Teller):
    """Tells on the loop, whichever thread has something to tell."""

    def __init__(self, loop: asyncio.AbstractEventLoop, hook: Optional[Hook]) -> None:
        super().__init__(hook)
        self._loop = loop
        self._thread = threading.current_thread()

    def tell(self, event: str, facts: Optional[Facts] = None, **more: Any) -> None:
        told = functools.partial(super().tell, event, facts, **more)
        if threading.current_thread() is self._thread:
            told()
            return
        try:
            self._loop.call_soon_threadsafe(told)
        except RuntimeError:  # the loop is closed
            told()


async def in_thread(function: Callable[[], T]) -> T:
    """Runs a function in a thread of its own, that knows the context variables. Interrupted, it
    goes on; the interpreter does not wait for it."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[T] = loop.create_future()
    context = contextvars.copy_context()

    def settle(set_it: Callable[[Any], None], value: Any) -> None:
        if not future.done():
            set_it(value)

    def run() -> None:
        try:
            settled = functools.partial(settle, future.set_result, context.run(function))
        except StopIteration as error:
            made = RuntimeError("StopIteration was raised")
            made.__cause__ = error
            settled = functools.partial(settle, future.set_exception, made)
        except BaseException as error:
            settled = functools.partial(settle, future.set_exception, error)
        try:
            loop.call_soon_threadsafe(settled)
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    threading.Thread(target=run, name="smolwf-step", daemon=True).start()
    return await future


class Calls:
    """The durable calls of one attempt on one loop."""

    def __init__(self, session: Session, pool: Optional[Executor]) -> None:
        self.session = session
        self.loop = asyncio.get_running_loop()
        #: answers that were had, and could not be handed out because of a cancel
        self.kept: dict[Key, deque[asyncio.Future[Any]]] = {}
        #: waits are asked one after the other, in the order of the calls
        self._in_order = asyncio.Lock()
        self._asking = 0
        self._pool = pool
        self._ring = Ring()
        session.listen(self._wake)
        session.told.call_when_fired(self._wake)

    def _wake(self) -> None:
        try:
            self.loop.call_soon_threadsafe(self._ring.wake)
        except RuntimeError:
            pass  # the loop is closed: nobody waits

    async def run(
        self, function: Callable[[], T], key: Optional[Key] = None, records: bool = False
    ) -> T:
        """Makes a call in a thread of the pool. If this is cancelled meanwhile, the call is made
        to its end, and the next of the same key has its answer."""
        kept = self.kept.get(key) if key is not None else None
        if kept:
            return kept.popleft().result()  # type: ignore[no-any-return]
        future = self._begin(function, records)
        cancelled = await until_done(future)
        if cancelled is None:
            return future.result()
        if key is not None and future.exception() is None:
            self.kept.setdefault(key, deque()).append(future)
        raise cancelled

    async def ask(self, function: Callable[[], T], key: Key) -> T:
        """Asks a wait, after those that were called before it."""
        self._asking += 1
        try:
            async with self._in_order:
                return await self.run(function, key)
        finally:
            self._asking -= 1
            self._ring.wake()

    def _begin(self, function: Callable[[], T], records: bool) -> asyncio.Future[T]:
        self.session.begin_call(records)
        bound = functools.partial(contextvars.copy_context().run, function)
        try:
            future = self.loop.run_in_executor(self._pool, bound)
        except RuntimeError as error:  # the pool is shut down
            self.session.end_call()
            raise ClosedError(-7, "the store is closed", "SW_ERR_CLOSED") from error
        future.add_done_callback(lambda _: self.session.end_call())
        return future

    async def hold(self) -> None:
        """Waits for the steps that are being begun or done, and for the waits that are being asked,
        before a suspend is raised: it may cancel its siblings, as in a TaskGroup. What is being
        paid for is to be recorded, and the run is to be woken by all that it waits for."""
        session, around = self.session, steps_around.get()
        session.waits_inside(around)
        seen = self._ring.count
        while self._is_busy_beside(around) and session.told.reason != "stopped":
            await self._ring.moved(seen, LOOK_S)
            seen = self._ring.count

    def _is_busy_beside(self, around: tuple[Any, ...]) -> bool:
        return self._asking > 0 or not self.session.is_quiet_beside(around)

    async def close(self) -> None:
        """Waits for all calls and steps of tasks and threads that are still there."""
        seen = self._ring.count
        while not self.session.try_close():
            await self._ring.moved(seen, LOOK_S)
            seen = self._ring.count
