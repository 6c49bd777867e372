"""Workers of either language, as the world of a scenario handles them."""

from __future__ import annotations

import asyncio
import threading
from typing import Any, Callable, Optional

import smolwf

from .scenarios import PATIENCE_S


class ThreadsHost:
    """A store and its worker of threads."""

    def __init__(self, path: str, options: dict[str, Any]) -> None:
        self._store = smolwf.Store.open(path, **options)
        self._worker: Optional[smolwf.Worker] = None

    def start(self, workflows: list[Any], **chosen: Any) -> None:
        self._worker = smolwf.Worker(self._store, workflows, threads=4, **chosen).start()

    def stop(self) -> None:
        assert self._worker is not None
        self._worker.stop()

    def join(self) -> str:
        """The name of the code that ended it, or ``stopped``."""
        assert self._worker is not None
        try:
            self._worker.join()
        except smolwf.Error as error:
            return error.name
        return "stopped"

    def close(self) -> None:
        self._store.close()


class AsyncioHost:
    """The same on a loop in a thread of its own."""

    def __init__(self, path: str, options: dict[str, Any]) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._store = self._do(smolwf.AsyncStore.open(path, **options))
        self._worker: Optional[smolwf.AsyncWorker] = None
        self._running: Any = None

    def _do(self, coroutine: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result(2 * PATIENCE_S)

    def start(self, workflows: list[Any], **chosen: Any) -> None:
        self._worker = smolwf.AsyncWorker(self._store, workflows, concurrency=4, **chosen)
        self._running = asyncio.run_coroutine_threadsafe(self._worker.run(), self._loop)

    def stop(self) -> None:
        assert self._worker is not None
        self._do(_called(self._worker.stop))

    def join(self) -> str:
        try:
            self._running.result(2 * PATIENCE_S)
        except smolwf.Error as error:
            return error.name
        return "stopped"

    def close(self) -> None:
        self._do(self._store.close())

    def end(self) -> None:
        self._do(_cancel_all())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(PATIENCE_S)
        self._loop.close()


async def _called(function: Callable[[], None]) -> None:
    function()


async def _cancel_all() -> None:
    """Ends what a scenario left on the loop on purpose."""
    others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)
