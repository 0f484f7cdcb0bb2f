"""The life of a service: start, serve until a signal, then stop in a fixed order.

The order on SIGTERM or Ctrl-C: the service reports that it is not ready, and takes no new work; it finishes its work or
hands it over, for `grace_seconds` at most; then it closes its resources, the last opened first. Each service's `app.py`
has the details. A second signal cancels everything. A service that does not end in time is ended by its `StopClock`.
"""

import asyncio
import logging
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import Any, Literal, NoReturn, TypeVar

from tiro_core.logs.exceptions import ExceptionDescriber
from tiro_core.logs.logger import get_logger
from tiro_core.logs.redaction import Redactor, secrets_of
from tiro_core.logs.setup import configure_logging, log_lost_tasks, log_uncaught_exceptions
from tiro_core.server.command_line import read_command_line
from tiro_core.server.stop_clock import StopClock
from tiro_core.settings import CoreSettings
from tiro_core.startup import EXIT_CRASHED, CannotStart

S = TypeVar("S", bound=CoreSettings)
T = TypeVar("T")

CANCEL_AGAIN_SECONDS = 0.5
"""How often a task that continues after a cancellation is cancelled again."""

log = get_logger()


class StoppedEarly(Exception):  # noqa: N818 - it is an outcome that was asked for, not an error
    """A signal to stop came before the service had started."""


def run_service(
    name: str,
    settings_type: type[S],
    serve: Callable[[S, asyncio.Event], Awaitable[None]],
    *,
    check: Callable[[S], None] = lambda _: None,
) -> NoReturn:
    """Run a service as the process's main program.

    Args:
        name: The service's name in the log.
        settings_type: The class of its settings, from which `--help` is made.
        serve: Runs the service until the event is set. It returns when everything is closed.
        check: Raises `CannotStart` for settings with which the service cannot start. It asks no other process.
    """
    settings = read_command_line(name, settings_type, check)
    configure_logging(
        name,
        settings.log_format,
        settings.log_level,
        redactor=Redactor(secrets_of(settings)),
        describer=ExceptionDescriber(show_messages=settings.log_exception_messages),
    )
    log_uncaught_exceptions()
    clock = StopClock(settings.grace_seconds)
    clock.start()
    try:
        status = _run(settings, serve, clock)
    except Exception:  # noqa: BLE001 - the hook logs it
        sys.excepthook(*sys.exc_info())
        status = EXIT_CRASHED
    logging.shutdown()
    # Everything is closed, and the interpreter is not finalized: a native thread of a library that is about to return
    # from Python would abort the process then (Python before 3.14 ends it with `pthread_exit`, through Rust's frames).
    os._exit(status)


def _run(settings: S, serve: Callable[[S, asyncio.Event], Awaitable[None]], clock: StopClock) -> int:
    """Run a service to its end. Returns the exit status."""
    refusals: list[CannotStart] = []
    try:
        asyncio.run(_until_signalled(settings, serve, clock))
    except* CannotStart as group:
        refusals = _leaves(group)
    finally:
        clock.ending()  # only the log is left to be written, which may not be read
    if not refusals:
        log.info("stopped")
        return 0
    for refusal in refusals:
        log.critical("refused_to_start", reason=str(refusal))
    return max(refusal.exit_status for refusal in refusals)


class _Stopping(asyncio.Event):
    """Set by the first signal. The main task waits for it while the service serves.

    When that wait is cancelled a part of the service has failed, and its task group ends the others. There is no signal
    then that starts the clock, and without it a part that does not end would keep a service that serves no more.
    """

    def __init__(self, clock: StopClock) -> None:
        super().__init__()
        self._clock = clock
        self._main = asyncio.current_task()

    async def wait(self) -> Literal[True]:
        try:
            return await super().wait()
        except asyncio.CancelledError:
            if asyncio.current_task() is self._main and not self.is_set():
                log.error("part_failed", note="the service stops; its error comes when all parts have ended")  # noqa: TRY400
                self._clock.failing()
            raise


async def _until_signalled(settings: S, serve: Callable[[S, asyncio.Event], Awaitable[None]], clock: StopClock) -> None:
    stopping = _Stopping(clock)
    main = asyncio.current_task()

    def stop(signum: signal.Signals) -> None:
        if stopping.is_set():
            log.warning("stopping_at_once", signal=signum.name)
            if main is not None:
                main.cancel()
            return
        log.info("stopping", signal=signum.name, grace_seconds=settings.grace_seconds)
        stopping.set()

    loop = asyncio.get_running_loop()
    log_lost_tasks(loop)
    clock.attach(loop, stop)
    log.info("starting")
    try:
        await serve(settings, stopping)
    except StoppedEarly:
        log.info("stopped_while_starting")
    except asyncio.CancelledError:
        log.warning("stopped_at_once")


async def unless_stopping(work: Awaitable[T], stopping: asyncio.Event) -> T:
    """Await work without a time limit, as connecting is, until a signal to stop.

    Raises:
        StoppedEarly: The signal came first.
    """
    task = asyncio.ensure_future(work)
    signalled = asyncio.create_task(stopping.wait())
    try:
        await asyncio.wait((task, signalled), return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            raise StoppedEarly
        return await task
    finally:
        await _end(signalled)
        await _end(task)


async def _end(task: "asyncio.Future[Any]") -> None:
    """Cancel a task until it has ended: nats-py drops a cancellation that comes with a refused connection."""
    while not task.done():
        task.cancel()
        await asyncio.wait((task,), timeout=CANCEL_AGAIN_SECONDS)
    if not task.cancelled():
        task.exception()  # read, so that asyncio does not report it


def _leaves(group: ExceptionGroup[CannotStart]) -> list[CannotStart]:
    leaves: list[CannotStart] = []
    for member in group.exceptions:
        leaves.extend(_leaves(member) if isinstance(member, ExceptionGroup) else [member])
    return leaves
