"""Writes with a known outcome: repeated while NATS does not answer, conditional where there may be other writers.

A write is tried again until NATS has answered, for `PATIENCE_SECONDS`. A conditional write names the message that it
expects to be the newest on its subject, so that a repetition is harmless. Each write has an id: when an
acknowledgement was lost, the writer recognizes its write by it.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from tiro_core.logs.logger import get_logger
from tiro_core.messaging.client import REQUEST_TIMEOUT_SECONDS
from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, Conflict, InDoubt, NotFound, translated
from tiro_core.messaging.operations import StoredMessage, last_message
from tiro_engines.backoff import backoff

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a write is tried again while NATS does not answer, before its caller gets an error."""
RETRY_SECONDS = 0.2
"""The wait before the second try. It is doubled before each further one; half of it is random."""
RETRY_SECONDS_MAX = 2.0

EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPIRES = "Nats-TTL"
"""The seconds until the message expires, a whole number."""
WRITE_ID = "Tiro-Write-Id"

SMALL_BYTES_MAX = 64 * 1024
SMALL_SECONDS_MAX = 2.0
"""How long one try of a conditional write up to that size waits for its answer. Servers drop requests in an election: a
live session that waited longer would notice the new leader later. A try that is repeated too early does no harm."""

log = get_logger()

# Together they identify a write as well as a random number would, without a system call for each.
_PROCESS_ID = secrets.token_hex(8)
_WRITES = itertools.count(1)


def new_write_id() -> str:
    """An id that no other write has."""
    return f"{_PROCESS_ID}-{next(_WRITES)}"


async def with_patience(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Call something, again and again for `seconds` while NATS does not answer; once when `seconds` is 0.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    deadline = time.monotonic() + seconds
    for tries in itertools.count(1):
        try:
            return await call()
        except BusUnavailable as error:
            delay = backoff(tries, first_seconds=RETRY_SECONDS, seconds_max=RETRY_SECONDS_MAX)
            if time.monotonic() + delay > deadline:
                raise
            log.debug("nats_retry", tries=tries, reason=repr(error))
            await asyncio.sleep(delay)
    raise AssertionError("unreachable: the loop ends with a return or an error")


async def read_patiently(bus: Bus, read: Callable[[], Awaitable[T]]) -> T:
    """Read something, again and again while NATS does not answer, for the service's `read_patience_seconds`.

    Raises:
        BusUnavailable: NATS did not answer.
    """
    return await with_patience(read, bus.read_patience_seconds)


async def publish(
    bus: Bus,
    subject: str,
    payload: bytes,
    *,
    headers: dict[str, str] | None = None,
    expires_in_seconds: float | None = None,
) -> int:
    """Store a message. It may be stored twice when NATS fails in between.

    Args:
        bus: The connection.
        subject: The subject of the message.
        payload: The data of the message.
        headers: The headers of the message.
        expires_in_seconds: The seconds until the message expires, a whole number. None: as the stream says.

    Returns:
        Its sequence in the stream.

    Raises:
        StreamFull: NATS has no room for the message.
        BusUnavailable: NATS did not answer.
        Rejected: NATS refuses the message.
    """

    async def store() -> int:
        with translated():
            stored = await bus.jetstream.publish(subject, payload, headers=headers, msg_ttl=expires_in_seconds)
        return stored.seq

    return await with_patience(store, PATIENCE_SECONDS)


async def publish_expecting(
    bus: Bus,
    stream: str,
    subject: str,
    payload: bytes,
    *,
    last: int,
    headers: Mapping[str, str] | None = None,
    write_id: str = "",
) -> int:
    """Store a message if `last` is the sequence of the newest one on its subject (0: there is none).

    Args:
        bus: The connection.
        stream: The stream of the subject.
        subject: The subject of the message.
        payload: The data of the message.
        last: The sequence that is expected.
        headers: The headers of the message.
        write_id: The id of this write. Empty: a new one.

    Returns:
        The message's sequence in the stream.

    Raises:
        Conflict: Another writer's message is the newest one.
        StreamFull: NATS has no room for the message.
        InDoubt: NATS did not answer. The message may have been stored.
        Rejected: NATS refuses the message.
    """
    write_id = write_id or new_write_id()
    expecting = {**(headers or {}), EXPECTED_SEQUENCE: str(last), WRITE_ID: write_id}

    async def store() -> int:
        try:
            with translated():
                return (await bus.jetstream.publish(subject, payload, _try_seconds(payload), headers=expecting)).seq
        except Conflict:
            newest = await _newest(bus, stream, subject)
            if newest is not None and newest.headers.get(WRITE_ID) == write_id:
                return newest.sequence  # stored by a try before this one, whose acknowledgement was lost
            if (newest.sequence if newest else 0) == last:
                # A new leader may not have applied its last messages yet.
                raise InDoubt(f"{subject} is as expected, and refused as if it were not") from None
            raise

    try:
        return await with_patience(store, PATIENCE_SECONDS)
    except BusUnavailable as error:
        raise InDoubt(str(error)) from error


def _try_seconds(payload: bytes) -> float:
    return SMALL_SECONDS_MAX if len(payload) <= SMALL_BYTES_MAX else REQUEST_TIMEOUT_SECONDS


async def _newest(bus: Bus, stream: str, subject: str) -> StoredMessage | None:
    try:
        return await last_message(bus, stream, subject)
    except NotFound:
        return None
