"""The requests of one call, with a limit on the client's silence."""

import asyncio
from collections.abc import AsyncIterator

from tiro.streaming.v1.streaming_pb2 import Resume, StreamingConfig, StreamingTranscribeRequest
from tiro_streamer.errors import config_missing, config_repeated, session_idle


class RequestStream:
    """The requests of one call, in order."""

    def __init__(self, stream: AsyncIterator[StreamingTranscribeRequest], *, idle_seconds_max: float) -> None:
        self._stream = stream
        self._idle_seconds_max = idle_seconds_max

    async def opening(self) -> StreamingConfig | Resume:
        """The first request.

        Raises:
            TiroError: CONFIG_MISSING or SESSION_IDLE.
        """
        first = await self._next()
        if first is not None and first.HasField("config"):
            return first.config
        if first is not None and first.HasField("resume"):
            return first.resume
        raise config_missing()

    async def __aiter__(self) -> AsyncIterator[StreamingTranscribeRequest]:
        """The requests after the first, until the client half-closes.

        Raises:
            TiroError: CONFIG_REPEATED or SESSION_IDLE.
        """
        while (request := await self._next()) is not None:
            if request.WhichOneof("request") in {"config", "resume"}:
                raise config_repeated()
            yield request

    async def _next(self) -> StreamingTranscribeRequest | None:
        try:
            async with asyncio.timeout(self._idle_seconds_max):
                return await anext(self._stream, None)
        except TimeoutError:
            raise session_idle(self._idle_seconds_max) from None
