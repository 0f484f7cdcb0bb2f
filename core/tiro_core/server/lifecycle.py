"""The life of a service: start, serve until told to stop, then stop in an order that is written down.

The order on SIGTERM or Ctrl-C: the service says that it is no longer ready; takes nothing new; finishes or hands over
what it has, for `grace_seconds` at most; then closes what it opened, last opened first. Each service's `app.py` spells
its part out.
"""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable
from typing import TypeVar

from pydantic import ValidationError
from pydantic_settings import CliApp, SettingsError

from tiro_core.logs import configure_logging, get_logger
from tiro_core.settings import CoreSettings
from tiro_core.startup import EXIT_SETTINGS, CannotStart

S = TypeVar("S", bound=CoreSettings)
T = TypeVar("T")

log = get_logger()


class StoppedEarly(Exception):  # noqa: N818 - it is an outcome that was asked for, not an error
    """The service was told to stop before it had started."""


def run_service(name: str, settings_type: type[S], serve: Callable[[S, asyncio.Event], Awaitable[None]]) -> None:
    """Run a service as the process's main program.

    Args:
        name: The service's name in the log.
        settings_type: Its settings; they make up `--help`.
        serve: Runs the service until the event is set. It returns when everything is closed.
    """
    try:
        settings = CliApp.run(settings_type)
    except (ValidationError, SettingsError) as error:
        print(f"{name}: {error}", file=sys.stderr)  # noqa: T201 - logging is not set up yet
        sys.exit(EXIT_SETTINGS)
    configure_logging(name, settings.log_format, settings.log_level)
    try:
        asyncio.run(_until_signalled(settings, serve))
    except* CannotStart as group:
        refusals = _leaves(group)
        for refusal in refusals:
            log.critical("refused_to_start", reason=str(refusal))
        sys.exit(max(refusal.exit_status for refusal in refusals))
    log.info("stopped")


async def _until_signalled(settings: S, serve: Callable[[S, asyncio.Event], Awaitable[None]]) -> None:
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    main = asyncio.current_task()

    def stop(signum: signal.Signals) -> None:
        if stopping.is_set():
            log.warning("stopping_at_once", signal=signum.name)
            if main is not None:
                main.cancel()
            return
        log.info("stopping", signal=signum.name, grace_seconds=settings.grace_seconds)
        stopping.set()

    for signum in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(signum, stop, signum)
    log.info("starting")
    try:
        await serve(settings, stopping)
    except StoppedEarly:
        log.info("stopped_while_starting")
    except asyncio.CancelledError:
        log.warning("stopped_at_once")


async def unless_stopping(work: Awaitable[T], stopping: asyncio.Event) -> T:
    """Await something that may take for ever, as connecting does, but not beyond a signal to stop.

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
        for unfinished in (task, signalled):
            unfinished.cancel()
        await asyncio.gather(task, signalled, return_exceptions=True)


def _leaves(group: ExceptionGroup[CannotStart]) -> list[CannotStart]:
    leaves: list[CannotStart] = []
    for member in group.exceptions:
        leaves.extend(_leaves(member) if isinstance(member, ExceptionGroup) else [member])
    return leaves
