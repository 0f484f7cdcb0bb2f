"""Following a stream of numbered messages over any number of calls, each from the last number on."""

import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import grpc

from tiro_client.calls.error_details import translated
from tiro_client.calls.retrying import STEADY_SECONDS, STREAM_ATTEMPTS_MAX, Backoff, is_connection_lost, is_transient
from tiro_client.errors import TiroError

Q = TypeVar("Q")
R = TypeVar("R")


async def follow(
    begin: Callable[[int], "grpc.aio.UnaryStreamCall[Q, R]"], sequence_of: Callable[[R], int], *, after_sequence: int
) -> AsyncGenerator[R, None]:
    """Yield the messages of a stream until the service ends it. A lost connection is replaced.

    Args:
        begin: Begins a call that streams everything after a sequence number.
        sequence_of: The sequence number of a message. 0 for a message that is not recorded, such as a partial.
        after_sequence: The sequence number to begin after.

    Raises:
        TiroError: The service refused the call, or stayed unavailable.
    """
    last_sequence = after_sequence
    backoff = Backoff(STREAM_ATTEMPTS_MAX)
    while True:
        begun_at, begun_after = time.monotonic(), last_sequence
        call = begin(last_sequence)
        try:
            with translated():
                async for response in call:
                    last_sequence = max(last_sequence, sequence_of(response))
                    yield response
        except TiroError as error:
            if not (is_connection_lost(error) or is_transient(error)):
                raise
            steady = time.monotonic() - begun_at >= STEADY_SECONDS
            await backoff.wait(error, progressed=last_sequence > begun_after or steady)
        else:
            return
        finally:
            call.cancel()
