"""Blocking calls on threads that a program does not wait for when it ends."""

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from typing import TypeVar

T = TypeVar("T")


async def in_daemon_thread(work: Callable[[], T]) -> T:
    """Run a call that may block without an end, as reading a pipe does.

    Unlike `asyncio.to_thread` it does not keep the program from ending: a cancelled caller leaves the thread behind.

    Raises:
        Exception: What the call raises.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[T] = loop.create_future()

    def settle(resolve: Callable[[], None]) -> None:
        if not answer.done():  # else nobody waits any more
            resolve()

    def run() -> None:
        try:
            result = work()
        except Exception as error:  # noqa: BLE001 - the caller gets it
            failure = error
            resolve = lambda: answer.set_exception(failure)  # noqa: E731
        else:
            resolve = lambda: answer.set_result(result)  # noqa: E731
        with suppress(RuntimeError):  # the event loop is closed
            loop.call_soon_threadsafe(settle, resolve)

    threading.Thread(target=run, name=getattr(work, "__name__", "blocking"), daemon=True).start()
    return await answer
