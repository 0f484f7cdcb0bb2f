"""Publishing that knows whether it happened: with an expected sequence, patient while NATS is away."""

import itertools
import secrets
from collections.abc import Awaitable, Callable, Mapping
from typing import TypeGuard, TypeVar

import stamina
from nats.errors import ConnectionClosedError, OutboundBufferLimitError
from nats.errors import TimeoutError as NatsTimeoutError
from nats.js.errors import APIError, NoStreamResponseError, NotFoundError, ServiceUnavailableError

from tiro_core.messaging.connection import Bus

T = TypeVar("T")

PATIENCE_SECONDS = 60.0
"""How long a write is tried again while NATS is away, before its caller is told."""

EXPECTED_SEQUENCE = "Nats-Expected-Last-Subject-Sequence"
_STORE_FAILED = 10077  # JSStreamStoreFailedF: a limit of the stream
_WRITE_ID = "Tiro-Write-Id"
_WRONG_SEQUENCE = (10071, 10164)  # JSStreamWrongLastSequenceErrF, JSStreamWrongLastSequenceConstantErr

# Together they name a write as well as a random number for each would, without asking the kernel for it each time.
_PROCESS_ID = secrets.token_hex(8)
_WRITES = itertools.count(1)

TRANSIENT = (
    NatsTimeoutError,
    NoStreamResponseError,
    ServiceUnavailableError,
    OutboundBufferLimitError,
    ConnectionResetError,
)
"""What NATS raises while it is away or starting."""


class Conflict(Exception):  # noqa: N818 - the loser of a race has made no error
    """Somebody else wrote first."""


class StreamFull(Exception):  # noqa: N818 - reads as the condition it reports
    """The stream, or the subject in it, takes no more messages. The message says which."""


class BusUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """NATS stayed away for longer than we wait."""


async def publish(
    bus: Bus,
    subject: str,
    payload: bytes,
    *,
    headers: dict[str, str] | None = None,
    expires_in_seconds: float | None = None,
) -> int:
    """Store a message and return its sequence in the stream. It may be stored twice when NATS fails in between.

    Args:
        bus: The connection.
        subject: Where it goes.
        payload: The message.
        headers: What goes with it.
        expires_in_seconds: When it goes, a whole number. None leaves that to the stream.

    Raises:
        StreamFull: There is no room for it.
        BusUnavailable: NATS stayed away.
    """
    acknowledgement = await _while_away(
        lambda: bus.jetstream.publish(subject, payload, headers=headers, msg_ttl=expires_in_seconds), PATIENCE_SECONDS
    )
    return acknowledgement.seq


async def patiently(bus: Bus, read: Callable[[], Awaitable[T]]) -> T:
    """Read something from NATS, for as long as this service has patience when NATS is away.

    Raises:
        BusUnavailable: NATS stayed away.
    """
    return await _while_away(read, bus.read_patience_seconds) if bus.read_patience_seconds else await read()


async def _while_away(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    try:
        return await _with_retries(call, seconds)
    except (*TRANSIENT, ConnectionClosedError) as error:
        if _is_full(error):
            raise StreamFull(error.description or "a limit of the stream") from error
        raise BusUnavailable(f"NATS did not answer for {seconds:.0f} s") from error


async def _with_retries(call: Callable[[], Awaitable[T]], seconds: float) -> T:
    try:
        return await call()  # before the retries are set up, which costs several times what a publish does
    except TRANSIENT as error:
        if not _is_transient(error):
            raise
    async for attempt in stamina.retry_context(
        on=_is_transient, attempts=None, timeout=seconds, wait_initial=0.1, wait_max=2.0
    ):
        with attempt:
            return await call()
    raise AssertionError("unreachable: the retries end with a return or an error")


def _is_full(error: Exception) -> TypeGuard[ServiceUnavailableError]:
    return isinstance(error, ServiceUnavailableError) and error.err_code == _STORE_FAILED


def _is_transient(error: Exception) -> bool:
    """Whether trying again may help. A full stream says 503 as well."""
    return isinstance(error, TRANSIENT) and not _is_full(error)


async def publish_expecting(
    bus: Bus, stream: str, subject: str, payload: bytes, *, last: int, headers: Mapping[str, str] | None = None
) -> int:
    """Store a message if `last` is the sequence of the newest one on its subject (0: there is none).

    A write whose acknowledgement was lost is told from a lost race by the id that it carries.

    Returns:
        The message's sequence in the stream.

    Raises:
        Conflict: Something newer is there, and it is not this.
        BusUnavailable: NATS stayed away.
    """
    write_id = f"{_PROCESS_ID}-{next(_WRITES)}"
    expecting = {**(headers or {}), EXPECTED_SEQUENCE: str(last), _WRITE_ID: write_id}
    try:
        return await publish(bus, subject, payload, headers=expecting)
    except APIError as error:
        if error.err_code not in _WRONG_SEQUENCE:
            raise
    try:
        newest = await _while_away(lambda: bus.jetstream.get_msg(stream, subject=subject), PATIENCE_SECONDS)
    except NotFoundError:
        raise Conflict(subject) from None
    if newest.seq is not None and (newest.headers or {}).get(_WRITE_ID) == write_id:
        return newest.seq
    raise Conflict(subject)
