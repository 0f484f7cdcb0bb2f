"""A service that does not stop by itself, for tests of the stop deadline. TIRO_STUCK says in which way."""

import asyncio
import os
import signal
import sys
import threading
import time
from types import ModuleType
from typing import Any

from obstore.store import MemoryStore

from tiro_core.logs.logger import get_logger
from tiro_core.server.lifecycle import run_service
from tiro_core.settings import CoreSettings

FINALIZATION_SECONDS = 1.0

log = get_logger()


async def serve(_settings: CoreSettings, stopping: asyncio.Event) -> None:
    """Hang at the stop in the way that TIRO_STUCK names."""
    way = os.environ["TIRO_STUCK"]
    async with asyncio.TaskGroup() as tasks:
        part = tasks.create_task(_swallow() if way in ("swallowing", "failing") else asyncio.sleep(0), name="stubborn")
        if way == "handler":
            # As a library might. asyncio then takes over the socket through which signals arrive.
            asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, log.info, "another signal")
        log.info("ready")
        if way == "failing":
            tasks.create_task(_fail(), name="failing")
        if way == "wedged":
            asyncio.get_running_loop().call_soon(_never_return)
        await stopping.wait()
        if way == "unread":
            # The pipe of the log is full and is not read: the next line would block for ever.
            os.set_blocking(sys.stderr.fileno(), False)
            try:
                while True:
                    os.write(sys.stderr.fileno(), b"x" * 4096)
            except BlockingIOError:
                os.set_blocking(sys.stderr.fileno(), True)
            log.info("this line is never written")
        if way == "thread":
            threading.Thread(target=_never_return, name="left behind").start()
        if way == "native_thread":
            await _call_from_a_native_thread()
        part.cancel()


async def _call_from_a_native_thread() -> None:
    """Get an answer from a library's native thread that has not left Python when the interpreter is finalized.

    Python ends such a thread by unwinding its stack, and a native frame that does not allow it aborts the process. Both
    sides are slowed down, so that it happens each time.
    """
    loop = asyncio.get_running_loop()
    deliver = loop.call_soon_threadsafe

    def deliver_slowly(*arguments: Any, **options: Any) -> None:
        deliver(*arguments, **options)
        time.sleep(FINALIZATION_SECONDS / 2)

    loop.call_soon_threadsafe = deliver_slowly  # type: ignore[method-assign, assignment]
    await MemoryStore().put_async("key", b"value")
    sys.modules["slow"] = _SlowToFinalize("slow")


class _SlowToFinalize(ModuleType):
    """A module whose end delays the finalization of the interpreter."""

    def __del__(self) -> None:
        time.sleep(FINALIZATION_SECONDS)


async def _swallow() -> None:
    while True:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            log.info("swallowed")


async def _fail() -> None:
    await asyncio.sleep(0)
    raise ValueError("a part has failed")


def _never_return() -> None:
    log.info("wedged")
    time.sleep(3600)


if __name__ == "__main__":
    run_service("stuck", CoreSettings, serve)
