"""Decoded audio as an asynchronous iterator."""

from collections.abc import AsyncIterator

import numpy as np
import numpy.typing as npt
from pydantic import TypeAdapter

from tiro_core.audio.errors import DecodeCrashedError
from tiro_core.audio.media_process import MediaProcess, read_json
from tiro_core.audio.report import AudioSource, DecodeReport
from tiro_core.audio.wire import AUDIO, RESULT, SOURCE

Pcm16 = npt.NDArray[np.int16]
AUDIO_SOURCE = TypeAdapter(AudioSource)
DECODE_REPORT = TypeAdapter(DecodeReport)


class PcmStream:
    """Int16 mono samples of one decoding process, in order, in arrays of at most 256 KiB.

    The process decodes ahead by no more than the buffers of the sockets and asyncio hold, however slow the reader is.

    Attributes:
        source: the stream that is decoded; set before the first samples are returned.
        report: the result; set once the iteration has ended.
    """

    def __init__(self, process: MediaProcess) -> None:
        self._process = process
        self.source: AudioSource | None = None
        self.report: DecodeReport | None = None

    def __aiter__(self) -> AsyncIterator[Pcm16]:
        return self

    async def __anext__(self) -> Pcm16:
        """Return the next samples.

        Raises:
            AudioError: the audio was refused, or its decoder failed. Samples that were returned before are valid.
        """
        while self.report is None:
            message = await self._process.receive()
            if message.kind == AUDIO and self.source is not None and len(message.payload) % 2 == 0:
                return np.frombuffer(message.payload, dtype=np.int16)
            if message.kind == SOURCE:
                self.source = read_json(message.payload, AUDIO_SOURCE)
            elif message.kind == RESULT:
                self.report = read_json(message.payload, DECODE_REPORT)
            else:
                raise DecodeCrashedError
        raise StopAsyncIteration
