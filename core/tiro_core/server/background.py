"""Background loops that continue after failures of NATS or of the blob store."""

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

FAILURES = Counter("tiro_background_failures_total", "Failures after which background loops began again", ["loop"])

log = get_logger()


async def keep_running(loop: str, run: Callable[[], Awaitable[None]]) -> None:
    """Run an endless loop until cancelled, and begin it again after each failure of NATS or of the blob store.

    Args:
        loop: The name of the loop, for the log and the metric.
        run: The loop. It must be able to begin again without losing work that is still to be done.

    Raises:
        Exception: Any other error of the loop, which is a bug.
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
