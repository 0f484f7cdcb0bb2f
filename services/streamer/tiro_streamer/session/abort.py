"""Ending a session before its time, so that its worker is free again and nobody else takes it."""

import asyncio

from tiro.events.v1.live_pb2 import EndOfAudio, LiveInput, SessionRecord
from tiro_core.errors import TiroError, reason_name
from tiro_core.logs import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.publishing import TRANSIENT, BusUnavailable, Conflict, publish
from tiro_streamer.errors import client_gone, session_failed
from tiro_streamer.session.assignment import SessionAssignment

ABANDON_SECONDS_MAX = 5.0
"""How long the clean-up of one session may take. While NATS is away the session is left as it is."""

log = get_logger()


async def abort_session(
    bus: Bus, record: SessionRecord, offer: SessionAssignment, stored_samples: int, why: BaseException
) -> None:
    """End the session in the store.

    Args:
        bus: Where it lives.
        record: Which session.
        offer: Its record, to be withdrawn.
        stored_samples: How much of its audio is stored.
        why: What ended it.
    """
    fault = _told(why)
    log.info("session_abandoned", reason=reason_name(fault.reason), message=fault.message)
    status = fault.to_status()
    audio = subjects.live_audio(record.tenant, record.session_id)
    try:
        async with asyncio.timeout(ABANDON_SECONDS_MAX):
            if await offer.withdraw(status):
                await bus.jetstream.purge_stream(topology.LIVE_AUDIO, subject=audio)
            else:
                end = LiveInput(first_sample=stored_samples, end=EndOfAudio(error=status))
                await publish(bus, audio, end.SerializeToString())
    except (TimeoutError, BusUnavailable, Conflict, *TRANSIENT) as error:
        log.warning("session_left", error=repr(error))


def _told(why: BaseException) -> TiroError:
    if isinstance(why, TiroError):
        return why
    if isinstance(why, asyncio.CancelledError):
        return client_gone()
    return session_failed("the streamer could not carry the session on")
