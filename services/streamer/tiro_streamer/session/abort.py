"""Ending a session before its time, so that its worker is free again and no other one takes it."""

import asyncio

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.errors import TiroError, reason_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.operations import purge
from tiro_core.server.caller_errors import known_for_caller
from tiro_streamer.audio_log.writer import AudioLogTaken, AudioLogWriter
from tiro_streamer.errors import client_gone, session_failed
from tiro_streamer.session.assignment import SessionAssignment

ABORT_SECONDS_MAX = 5.0
"""How long the clean-up of one session may take. While NATS is away the session is left as it is."""

log = get_logger()


async def abort_session(
    bus: Bus, record: SessionRecord, assignment: SessionAssignment, line: AudioLogWriter, cause: BaseException
) -> None:
    """End the session in the store, unless another connection has taken it over.

    The end is on the audio log first: there another connection's writing refuses it. A worker that has the session
    meets it there. Where none has, the record is ended here, and the log goes.

    Args:
        bus: Where the session is.
        record: Which session.
        assignment: Withdraws the session from the workers.
        line: The writing end of its audio log.
        cause: What ended it.
    """
    fault = _for_record(cause)
    status = fault.to_status()
    audio = subjects.live_audio(record.tenant, record.session_id)
    try:
        async with asyncio.timeout(ABORT_SECONDS_MAX):
            await line.end_early(status)
            if await assignment.withdraw(status):
                await purge(bus, topology.LIVE_AUDIO, audio)
    except AudioLogTaken:
        log.info("session_goes_on_elsewhere", reason=reason_name(fault.reason))
    except (TimeoutError, MessagingError) as error:
        log.warning("session_left", error=repr(error))
    else:
        log.info("session_aborted", reason=reason_name(fault.reason), message=fault.message)


def _for_record(cause: BaseException) -> TiroError:
    if isinstance(cause, asyncio.CancelledError):
        return client_gone()
    return known_for_caller(cause) or session_failed("the streamer could not carry the session on")
