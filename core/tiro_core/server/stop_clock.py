"""The clock of a stop: a thread that receives the signals and ends a process that does not end by itself.

The thread does not depend on the event loop, which may be stuck: it gets the numbers of signals through a socket, and
measures the time. A timer of the kernel ends the process when writing the last log line hangs as well. Only code that
never releases the interpreter's lock can block the thread; then SIGKILL is left.
"""

import asyncio
import os
import select
import signal
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import Any

from tiro_core.logs.logger import get_logger
from tiro_core.startup import EXIT_STOP_OVERDUE

STOP_MARGIN_SECONDS = 7.0
"""How long closing may take after `grace_seconds`: sessions, gRPC, the connection to NATS.

A supervisor must wait longer than `grace_seconds` and this before it kills a service.
"""
AT_ONCE_SECONDS = 1.5
"""How long a service may take to stop after the second signal."""
LAST_RESORT_SECONDS = 2.0
"""How long writing the last log line may take; then SIGALRM ends the process."""
TASKS_NAMED_MAX = 20
"""The most tasks that the last log line names."""
CALLS_NAMED_MAX = 6
"""The most calls of a task that it names: the innermost ones."""
STOP_SIGNALS = (signal.SIGTERM, signal.SIGINT)

log = get_logger()


class StopClock:
    """Receives the signals that stop a process, and ends it when it takes too long.

    Call `start` in the main thread. It cannot be undone: the clock runs until the process has ended.
    """

    def __init__(self, grace_seconds: float) -> None:
        self._grace_seconds = grace_seconds
        self._receiver, self._sender = socket.socketpair()
        self._lock = threading.Lock()
        self._signals: list[signal.Signals] = []
        self._loop: asyncio.AbstractEventLoop | None = None
        self._handle: Callable[[signal.Signals], None] | None = None
        self._began: float | None = None
        self._deadline: float | None = None

    def start(self) -> None:
        """Receive signals from now on."""
        self._sender.setblocking(False)
        signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        for signum in STOP_SIGNALS:
            signal.signal(signum, self._in_main_thread)
        threading.Thread(target=self._run, name="stop-clock", daemon=True).start()

    def attach(self, loop: asyncio.AbstractEventLoop, handle: Callable[[signal.Signals], None]) -> None:
        """Call `handle` on the loop for each signal, also for those that came before."""
        with self._lock:
            self._loop, self._handle = loop, handle
            for signum in self._signals:
                loop.call_soon_threadsafe(handle, signum)

    def failing(self) -> None:
        """Start the clock, unless it runs already: a part of the service has failed, and the others are being ended."""
        self._start(self._grace_seconds + STOP_MARGIN_SECONDS)

    def ending(self) -> None:
        """Start the clock, unless it runs already: the service has ended, and only closing is left."""
        with self._lock:
            self._loop = None
        self._start(STOP_MARGIN_SECONDS)

    def _start(self, seconds: float) -> None:
        with self._lock:
            if self._deadline is not None:
                return
            self._set(seconds)
        self._sender.send(b"\0")  # wakes the thread, which reads the deadline again

    def _in_main_thread(self, number: int, _frame: FrameType | None) -> None:
        """Pass on a signal that the socket did not get: a library's `loop.add_signal_handler` has replaced it."""
        used = signal.set_wakeup_fd(self._sender.fileno(), warn_on_full_buffer=False)
        if used != self._sender.fileno():
            self._sender.send(bytes((number,)))

    def _run(self) -> None:
        while True:
            remaining = None if self._deadline is None else max(0.0, self._deadline - time.monotonic())
            readable, _, _ = select.select([self._receiver], [], [], remaining)
            if readable:
                for number in self._receiver.recv(64):
                    if number in STOP_SIGNALS:
                        self._received(signal.Signals(number))
            elif self._deadline is not None and time.monotonic() >= self._deadline:
                self._end_process()

    def _received(self, signum: signal.Signals) -> None:
        with self._lock:
            self._signals.append(signum)
            count = len(self._signals)
            if self._loop is not None and self._handle is not None:
                with suppress(RuntimeError):  # the loop has closed just now: the process is about to exit
                    self._loop.call_soon_threadsafe(self._handle, signum)
        if count == 1:
            self._set(self._grace_seconds + STOP_MARGIN_SECONDS)
        elif count == 2:  # noqa: PLR2004 - the second signal stops the service at once
            self._set(AT_ONCE_SECONDS)

    def _set(self, seconds: float) -> None:
        now = time.monotonic()
        if self._began is None:
            self._began = now
        self._deadline = now + seconds if self._deadline is None else min(self._deadline, now + seconds)

    def _end_process(self) -> None:
        # A log that is not read, or a lock of it that a stuck thread holds, must not delay the end.
        signal.setitimer(signal.ITIMER_REAL, LAST_RESORT_SECONDS)
        try:
            log.critical(
                "stop_overdue",
                after_seconds=round(time.monotonic() - (self._began or 0), 1),
                tasks=self._tasks(),
                main_thread=_position(_frame_of(threading.main_thread())),
            )
            sys.stderr.flush()
        finally:
            os._exit(EXIT_STOP_OVERDUE)

    def _tasks(self) -> list[str]:
        """The tasks that are still alive, each with the calls in which it waits."""
        loop = self._loop
        if loop is None:
            return []
        alive = [f"{task.get_name()}: {_calls(task)}" for task in asyncio.all_tasks(loop)]
        return sorted(alive)[:TASKS_NAMED_MAX]


def _frame_of(thread: threading.Thread) -> FrameType | None:
    """The innermost frame of a thread."""
    return sys._current_frames().get(thread.ident or 0)  # noqa: SLF001 - documented, if only for special purposes


def _calls(task: "asyncio.Task[Any]") -> str:
    """The coroutines that a task awaits, the innermost last and with its line."""
    frames: list[FrameType] = []
    awaiting: Any = task.get_coro()
    while awaiting is not None:
        frame = getattr(awaiting, "cr_frame", None) or getattr(awaiting, "ag_frame", None)
        if frame is not None:
            frames.append(frame)
        awaiting = getattr(awaiting, "cr_await", None) or getattr(awaiting, "ag_await", None)
    outer = [frame.f_code.co_qualname for frame in frames[-CALLS_NAMED_MAX:-1]]
    return " > ".join([*outer, _position(frames[-1] if frames else None)])


def _position(frame: FrameType | None) -> str:
    if frame is None:
        return "an unknown line"
    return f"{frame.f_code.co_qualname} ({frame.f_code.co_filename}:{frame.f_lineno})"
