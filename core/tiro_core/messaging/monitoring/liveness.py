"""Whether the leaders of a service's streams answer: they may be away although there is a connection to NATS."""

import asyncio
from collections.abc import Iterable

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError, translated


async def silent_streams(bus: Bus, streams: Iterable[str], limit_seconds: float) -> dict[str, str]:
    """Ask each stream's leader for its state, and return those that do not answer, with the reason.

    Args:
        bus: The connection.
        streams: Names of streams.
        limit_seconds: How long all answers together may take.
    """
    names = list(streams)
    answers = await asyncio.gather(*(_fault(bus, name, limit_seconds) for name in names))
    return {name: fault for name, fault in zip(names, answers, strict=True) if fault}


async def _fault(bus: Bus, stream: str, limit_seconds: float) -> str:
    try:
        async with asyncio.timeout(limit_seconds), translated():
            await bus.jetstream.stream_info(stream)
    except TimeoutError:
        return "no answer"
    except MessagingError as error:
        return str(error)
    return ""
