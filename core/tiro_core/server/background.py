"""Background loops that outlive what NATS or the store of blobs does to them."""

import asyncio
import itertools
from collections.abc import Awaitable, Callable

from prometheus_client import Counter

from tiro_core.blobs.interface import StorageUnavailable
from tiro_core.logs.logger import get_logger
from tiro_core.messaging.errors import MessagingError
from tiro_engines.backoff import backoff

RETRY_SECONDS = 1.0
RETRY_SECONDS_MAX = 15.0

FAILURES = Counter("tiro_background_failures_total", "Faults that background loops met and went on from", ["loop"])

log = get_logger()


async def keep_running(loop: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run a loop that never ends by itself, until cancelled; where NATS or the store fails it, begin it again.

    Args:
        loop: Its name, for the log and the metric.
        run: The loop. It must be able to begin again: what it has not done is still known to it.

    Raises:
        Exception: Anything else that comes out of it, which is a mistake of ours.
    """
    for failures in itertools.count(1):
        try:
            await run()
        except (MessagingError, StorageUnavailable) as error:
            FAILURES.labels(loop).inc()
            delay = backoff(failures, first_seconds=RETRY_SECONDS, seconds_max=RETRY_SECONDS_MAX)
            log.warning("background_loop_failed", loop=loop, error=repr(error), again_in_seconds=round(delay, 1))
            await asyncio.sleep(delay)
        else:
            return
