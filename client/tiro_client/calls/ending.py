"""Ends a call that sends a stream.

With interceptors, a task of grpc.aio (1.85) takes the requests from a queue. It is left waiting for the next one when
the service ends the call first, because only the cancellation of a call that has not ended reaches it.
"""

import asyncio
from contextlib import suppress
from typing import Any, TypeAlias

import grpc

SendingCall: TypeAlias = "grpc.aio.StreamUnaryCall[Any, Any] | grpc.aio.StreamStreamCall[Any, Any]"


async def end_call(call: SendingCall) -> None:
    """Cancel a call if it has not ended, and let go of what waits for its requests."""
    call.cancel()
    # The call may have failed before it was made.
    with suppress(asyncio.InvalidStateError, grpc.RpcError):
        await call.done_writing()
