"""Ctrl-C that requests an orderly end first."""

import asyncio
import signal
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def first_interrupt() -> Iterator[asyncio.Event]:
    """An event that the first Ctrl-C sets. The second one interrupts as usual. For the main thread only."""
    loop = asyncio.get_running_loop()
    interrupted = asyncio.Event()
    usual = signal.getsignal(signal.SIGINT)

    def on_interrupt(_number: int, _frame: FrameType | None) -> None:
        signal.signal(signal.SIGINT, usual)
        loop.call_soon_threadsafe(interrupted.set)

    signal.signal(signal.SIGINT, on_interrupt)
    try:
        yield interrupted
    finally:
        signal.signal(signal.SIGINT, usual)
