"""Aborting a session, so that its worker is free again and no other worker claims it."""

import asyncio

from tiro.events.v1.live_pb2 import SessionRecord
from tiro_core.errors import TiroError, reason_name
from tiro_core.logs.logger import get_logger
from tiro_core.messaging import subjects, topology
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import MessagingError
from tiro_core.messaging.event_log import Fenced
from tiro_core.messaging.operations import purge
from tiro_core.server.caller_errors import known_for_caller
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.errors import client_gone, session_failed
from tiro_streamer.records.assignment import SessionAssignment

ABORT_SECONDS_MAX = 5.0
"""How long the clean-up of one session may take. While NATS is away the session is left as it is: its worker ends it
when its audio log has had no message for a minute."""

log = get_logger()


async def abort_session(
    bus: Bus, record: SessionRecord, assignment: SessionAssignment, audio_log: AudioLogWriter, cause: BaseException
) -> None:
    """End the session in the store, unless another connection has taken it over.

    First the end is written to the audio log, which is refused if another connection has taken over the log. A worker
    that owns the session reads the end in the log. If none owns it, the record is ended here, and the log purged.

    Args:
        bus: The connection.
        record: The session.
        assignment: Withdraws the session from the workers.
        audio_log: The writing end of its audio log.
        cause: The exception that ended it.
    """
    fault = _for_record(cause)
    status = fault.to_status()
    try:
        async with asyncio.timeout(ABORT_SECONDS_MAX):
            await audio_log.end_early(status)
            if await assignment.withdraw(status):
                await purge(bus, topology.LIVE_AUDIO, subjects.live_audio(record.tenant, record.session_id))
    except Fenced:
        log.info("session_continues_elsewhere", reason=reason_name(fault.reason))
    except (TimeoutError, MessagingError) as error:
        log.warning("session_left", reason=reason_name(fault.reason), error=repr(error))
    else:
        log.info("session_aborted", reason=reason_name(fault.reason), message=fault.message)
    finally:
        await assignment.close()


def _for_record(cause: BaseException) -> TiroError:
    if isinstance(cause, asyncio.CancelledError):
        return client_gone()
    return known_for_caller(cause) or session_failed("the streamer could not continue the session")
