"""Writes that know whether they happened: patient while NATS is away, conditional where another writer may be.

A write is tried again until NATS has answered, for `PATIENCE_SECONDS`. A conditional one says which message it expects
to be the newest on its subject. So a repetition is harmless, and each write has an id by which it is told from another
writer's when its acknowledgement was lost.
"""

import asyncio
import itertools
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeVar

from tiro_core.messaging.connection import Bus
from tiro_core.messaging.errors import BusUnavailable, Conflict, InDoubt, NotFound, translated
from tiro_core.messaging.operations import StoredMessage, last_message
from tiro_engines.backoff import backoff

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a write is tried again while NATS is away, before its caller learns of it."""
RETRY_SECONDS = 0.2
"""Before the second try; doubled before each further one, half of it at random."""
RETRY_SECONDS_MAX = 2.0

EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
EXPIRES = "Nats-TTL"
"""In how many seconds the message expires, a whole number."""
WRITE_ID = "Tiro-Write-Id"

# Together they name a write as well as a random number for each would, without asking the kernel for it each time.
_PROCESS_ID = secrets.token_hex(8)
_WRITES = itertools.count(1)


def new_write_id() -> str:
    """An id that no other write has."""
    return f"{_PROCESS_ID}-{next(_WRITES)}"


async def with_patience(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    """Try something again while NATS is away, for so many seconds. With 0 it is tried once.

    Raises:
        BusUnavailable: NATS stayed away.
    """
    deadline = time.monotonic() + seconds
    for tries in itertools.count(1):
        try:
            return await call()
        except BusUnavailable:
            delay = backoff(tries, first_seconds=RETRY_SECONDS, seconds_max=RETRY_SECONDS_MAX)
            if time.monotonic() + delay > deadline:
                raise
            await asyncio.sleep(delay)
    raise AssertionError("unreachable: the loop ends with a return or an error")


async def read_patiently(bus: Bus, read: Callable[[], Awaitable[T]]) -> T:
    """Read something, again and again while NATS is away, for as long as this service has patience with reads.

    Raises:
        BusUnavailable: NATS stayed away.
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
        subject: Where it goes.
        payload: The message.
        headers: What goes with it.
        expires_in_seconds: When it expires, a whole number. None leaves that to the stream.

    Returns:
        Its sequence in the stream.

    Raises:
        StreamFull: There is no room for it.
        BusUnavailable: NATS stayed away.
        Rejected: NATS refuses it.
    """

    async def store() -> int:
        async with translated():
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
        stream: Where the subject is.
        subject: Where the message goes.
        payload: The message.
        last: The sequence that is expected.
        headers: What goes with it.
        write_id: The id of this write. Empty: a new one.

    Returns:
        The message's sequence in the stream.

    Raises:
        Conflict: Another writer's message is the newest one.
        StreamFull: There is no room for it.
        InDoubt: NATS stayed away. The message may have been stored.
        Rejected: NATS refuses it.
    """
    write_id = write_id or new_write_id()
    expecting = {**(headers or {}), EXPECTED_SEQUENCE: str(last), WRITE_ID: write_id}

    async def store() -> int:
        try:
            async with translated():
                return (await bus.jetstream.publish(subject, payload, headers=expecting)).seq
        except Conflict:
            newest = await _newest(bus, stream, subject)
            if newest is not None and newest.headers.get(WRITE_ID) == write_id:
                return newest.sequence  # stored by a try before this one, whose acknowledgement was lost
            if (newest.sequence if newest else 0) == last:
                # A replica that has become the leader does not have yet what it will have.
                raise InDoubt(f"{subject} is as expected, and refused as if it were not") from None
            raise

    try:
        return await with_patience(store, PATIENCE_SECONDS)
    except BusUnavailable as error:
        raise InDoubt(str(error)) from error


async def _newest(bus: Bus, stream: str, subject: str) -> StoredMessage | None:
    try:
        return await last_message(bus, stream, subject)
    except NotFound:
        return None
