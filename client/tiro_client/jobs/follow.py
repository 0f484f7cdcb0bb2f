"""Following a history that a service streams: over as many calls as it takes, after the last number each time."""

import time
from collections.abc import AsyncGenerator, Callable
from typing import TypeVar

import grpc

from tiro_client.calls.error_details import translated
from tiro_client.calls.retrying import Resumption, is_lost, is_transient
from tiro_client.errors import TiroError

STEADY_SECONDS = 5.0
"""A call that lasted this long counts as progress, also when nothing happened."""

Q = TypeVar("Q")
R = TypeVar("R")


async def follow(
    begin: Callable[[int], "grpc.aio.UnaryStreamCall[Q, R]"], sequence_of: Callable[[R], int], *, after_sequence: int
) -> AsyncGenerator[R, None]:
    """Yield what the service tells, to the end of the history. Goes on by itself when the connection is lost.

    Args:
        begin: Begins a call that tells everything after a number.
        sequence_of: The number of a message. 0 for what is not part of the history.
        after_sequence: Where to begin.

    Raises:
        TiroError: The service refused, or stayed away.
    """
    cursor = after_sequence
    resumption = Resumption()
    while True:
        begun, begun_at = cursor, time.monotonic()
        call = begin(cursor)
        try:
            with translated():
                async for response in call:
                    cursor = max(cursor, sequence_of(response))
                    yield response
        except TiroError as error:
            if not (is_lost(error) or is_transient(error)):
                raise
            steady = time.monotonic() - begun_at >= STEADY_SECONDS
            await resumption.pause(error, progressed=cursor > begun or steady)
        else:
            return
        finally:
            call.cancel()
