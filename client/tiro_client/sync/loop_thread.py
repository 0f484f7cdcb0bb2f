"""An event loop in a thread of its own, which other threads call."""

import asyncio
import os
import threading
from collections.abc import AsyncGenerator, Coroutine, Generator
from concurrent.futures import CancelledError, Future
from concurrent.futures import wait as wait_for_futures
from contextlib import AbstractAsyncContextManager, suppress
from typing import Any, Generic, TypeVar

from tiro_client.calls.forks import FORKED

END_SECONDS_MAX = 5.0
"""How long a call that is cancelled may take to end, as when it tells the service so."""
CLOSE_SECONDS_MAX = 10.0
"""How long the end of the thread is waited for, once the client is closed."""

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for other threads. The thread is a daemon: a program that does not close it ends all the same.

    Args:
        resource: What the coroutines need. It is open while the thread runs.
        allow_running_loop: Whether a thread that runs an event loop, which the call then blocks, may call.
    """

    def __init__(self, resource: AbstractAsyncContextManager[object], *, allow_running_loop: bool) -> None:
        self._resource = resource
        self._allow_running_loop = allow_running_loop
        self._lock = threading.Lock()
        self._is_open = False
        self._calls: set[asyncio.Task[Any]] = set()
        self._process = os.getpid()
        self._opened = Future[None]()
        self._thread = threading.Thread(target=self._run, name="tiro-client", daemon=True)
        self._loop: asyncio.AbstractEventLoop
        self._closing: asyncio.Event

    def start(self) -> None:
        """Start the thread and open the resource.

        Raises:
            RuntimeError: This thread runs an event loop.
            Exception: What opening the resource raises.
        """
        self._check_may_wait()
        self._thread.start()
        self._opened.result()
        self._is_open = True

    def close(self) -> None:
        """Cancel the calls of other threads, close the resource, and end the thread."""
        if self._is_forked:
            return  # the thread is in the other process
        with self._lock:
            was_open, self._is_open = self._is_open, False
            if was_open:
                self._loop.call_soon_threadsafe(self._closing.set)
        if was_open:
            # A read that a cancelled call has left in a thread, as of a pipe, would keep the loop open.
            self._thread.join(CLOSE_SECONDS_MAX)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine to its end. An exception in this thread meanwhile, as of Ctrl-C, cancels it.

        Raises:
            RuntimeError: This thread must not wait, or the client is closed, also during the call.
            Exception: What the coroutine raises.
        """
        call = _Call(coroutine, self._calls)
        try:
            self._check_may_wait()
            self._begin(call)
            return call.outcome.result()
        except CancelledError:
            raise RuntimeError("the client was closed during the call") from None
        except BaseException:
            self._give_up(call)
            raise

    def iterate(self, source: AsyncGenerator[T, None]) -> Generator[T, None, None]:
        """The items of an asynchronous generator. To leave early, close the iterator (`contextlib.closing`)."""
        try:
            while (item := self.run(_next(source))) is not None:
                yield item[0]
        finally:
            self.finish(_close(source))

    def finish(self, coroutine: Coroutine[Any, Any, None]) -> None:
        """Run the end of something that a caller leaves.

        It is only begun where this thread must not wait: the garbage collector leaves things in any thread. Nothing is
        left to be ended once the client is closed.
        """
        if not self._is_open or self._is_forked:
            coroutine.close()
            return
        try:
            self._check_may_wait()
        except RuntimeError:
            self._begin(_Call(coroutine, self._calls))
        else:
            self.run(coroutine)

    @property
    def _is_forked(self) -> bool:
        return os.getpid() != self._process

    def _check_may_wait(self) -> None:
        """Raise RuntimeError if this thread must not wait for the loop's thread."""
        if self._is_forked:
            raise RuntimeError(FORKED)
        if threading.current_thread() is self._thread:
            raise RuntimeError("a callback of the client cannot call the client: it would wait for itself")
        if not self._allow_running_loop and _runs_event_loop():
            raise RuntimeError(
                "this thread runs an event loop, which the call would block: use AsyncClient, or call from another "
                "thread (asyncio.to_thread), or block it on purpose with Client(allow_running_loop=True)"
            )

    def _begin(self, call: "_Call[Any]") -> None:
        with self._lock:
            # Under the lock: what begins before `close` is cancelled by it, and nothing begins after it.
            if not self._is_open:
                raise RuntimeError("the client is not open: use `with Client() as client`")
            call.is_begun = True
            self._loop.call_soon_threadsafe(call.begin)

    def _give_up(self, call: "_Call[Any]") -> None:
        """End a call for which nobody waits any more, and wait for its end."""
        if not call.is_begun:
            call.coroutine.close()
        elif not call.outcome.done():
            with suppress(RuntimeError):  # the loop has ended
                self._loop.call_soon_threadsafe(call.cancel)
            wait_for_futures([call.outcome], timeout=END_SECONDS_MAX)

    def _run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self._loop, self._closing = asyncio.get_running_loop(), asyncio.Event()
        try:
            async with self._resource:
                self._opened.set_result(None)
                await self._closing.wait()
                await self._cancel_calls()
        except Exception as error:
            if self._opened.done():
                raise
            self._opened.set_exception(error)

    async def _cancel_calls(self) -> None:
        calls = set(self._calls)
        for call in calls:
            call.cancel()
        if calls:
            await asyncio.wait(calls, timeout=END_SECONDS_MAX)


class _Call(Generic[T]):
    """A coroutine that the loop's thread runs, and its outcome for the thread that waits for it."""

    def __init__(self, coroutine: Coroutine[Any, Any, T], calls: "set[asyncio.Task[Any]]") -> None:
        self.outcome = Future[T]()
        self.coroutine = coroutine
        self.is_begun = False
        """Whether the loop's thread has it."""
        self._calls = calls
        self._task: asyncio.Task[T] | None = None

    def begin(self) -> None:
        """Begin. In the loop's thread."""
        self._task = asyncio.get_running_loop().create_task(self.coroutine)
        self._calls.add(self._task)
        self._task.add_done_callback(self._end)

    def cancel(self) -> None:
        """Cancel. In the loop's thread, after `begin`."""
        if self._task is not None:
            self._task.cancel()

    def _end(self, task: "asyncio.Task[T]") -> None:
        self._calls.discard(task)
        if task.cancelled():
            self.outcome.cancel()
            self.outcome.set_running_or_notify_cancel()  # wakes those who wait
        elif (error := task.exception()) is not None:
            self.outcome.set_exception(error)
        else:
            self.outcome.set_result(task.result())


async def _next(source: AsyncGenerator[T, None]) -> tuple[T] | None:
    try:
        return (await anext(source),)
    except StopAsyncIteration:
        return None


async def _close(source: AsyncGenerator[Any, None]) -> None:
    await source.aclose()


def _runs_event_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True
