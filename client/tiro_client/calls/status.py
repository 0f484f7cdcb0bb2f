"""The status with which a service ended a call that sends a stream.

grpc.aio (1.85) may lose it: when a service ends a call while the client is sending, the failed write replaces the
service's status with INTERNAL "Internal error from Core" (https://github.com/grpc/grpc/issues/36066; a fix is proposed
in pull request 43486 there). This module keeps the service's status, and can be deleted once that is released.
"""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from typing import Any, TypeVar

import grpc

from tiro_client.calls.error_details import from_rpc_error
from tiro_client.errors import TiroError

ARRIVAL_SECONDS_MAX = 1.0
"""How long to wait for the service's status after a failed write. It arrives at once or not at all."""
_REPLACEMENT_DETAILS = "Internal error from Core"

T = TypeVar("T")


class CallStatus:
    """Keeps the status with which the service ended a call.

    Args:
        call: The call. Nothing must have been written to it yet.
    """

    def __init__(self, call: "grpc.aio.Call") -> None:
        self._error: grpc.aio.AioRpcError | None = None
        self._arrived = asyncio.Event()
        call.add_done_callback(self._keep)

    async def explain(self, seen: grpc.aio.AioRpcError) -> TiroError | None:
        """What ended the call, given the error that it raised here. None when the service ended it without error."""
        if not _is_replacement(seen):
            return from_rpc_error(seen)
        with suppress(TimeoutError):
            async with asyncio.timeout(ARRIVAL_SECONDS_MAX):
                await self._arrived.wait()
        if not self._arrived.is_set():
            return from_rpc_error(seen)
        return None if self._error is None else from_rpc_error(self._error)

    def _keep(self, call: "grpc.aio.Call") -> None:
        # Called when the status is set, and again when it is replaced. A task would run too late.
        code = _result(call.code())
        initial, trailing = _result(call.initial_metadata()), _result(call.trailing_metadata())
        error = grpc.aio.AioRpcError(code, initial, trailing, details=_result(call.details()))
        if not _is_replacement(error):
            self._error = None if code is grpc.StatusCode.OK else error
            self._arrived.set()


def _is_replacement(error: grpc.aio.AioRpcError) -> bool:
    return error.code() is grpc.StatusCode.INTERNAL and error.details() == _REPLACEMENT_DETAILS


def _result(coroutine: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine that completes without waiting."""
    try:
        coroutine.send(None)
    except StopIteration as end:
        result: T = end.value
        return result
    coroutine.close()
    raise RuntimeError("the call's status has not arrived")
