"""The input of a connection: the client's audio is decoded, and written with the controls to the audio log."""

import asyncio

from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.audio.errors import AudioError, AudioTooLongError
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.clock import seconds_until
from tiro_core.errors import TiroError
from tiro_streamer.audio_log.interface import AudioSink
from tiro_streamer.context.session import SessionContext
from tiro_streamer.errors import first_fault, is_connection_lost
from tiro_streamer.input.config_update import refusal
from tiro_streamer.input.decoders.factory import open_decoder
from tiro_streamer.input.decoders.interface import Decoder
from tiro_streamer.input.requests import RequestStream


class SessionCancelled(Exception):  # noqa: N818 - the client asked for it
    """The client has cancelled the session."""


class RequestReader:
    """Reads one client."""

    def __init__(
        self, context: SessionContext, audio_log: AudioSink, requests: RequestStream, *, from_start: bool = False
    ) -> None:
        """Prepare to read.

        Args:
            context: The connection.
            audio_log: The sink of audio and controls.
            requests: The requests of the client.
            from_start: Whether the client sends its audio from the beginning: audio that is stored is skipped.
        """
        self._context = context
        self._audio_log = audio_log
        self._requests = requests
        self._samples_to_skip = audio_log.position.samples if from_start else 0
        settings = context.streamer.settings
        self._seconds_max = settings.session_seconds_max
        self._age_seconds_max = settings.session_age_seconds_max
        self._samples_max = int(settings.session_seconds_max * context.record.sample_rate_hertz)

    async def run(self) -> None:
        """Read until the client half-closes or makes a fault, then end the audio.

        The fault is noted in the `Ending` of the connection.

        Raises:
            SessionCancelled: The client has cancelled the session.
            TiroError: The connection was lost, and the session can be resumed: its audio has not ended.
        """
        try:
            await self._read()
        except (TiroError, AudioError, ExceptionGroup) as failure:
            fault = first_fault(failure)
            if not isinstance(fault, TiroError):
                raise
            if self._context.is_resumable and is_connection_lost(fault):
                raise fault from failure
            self._context.ending.input_fault = fault
        await self._audio_log.end()

    async def _read(self) -> None:
        context = self._context
        settings = context.streamer.settings
        decoding = open_decoder(
            context.record.format,
            self._write,
            launcher=context.streamer.launcher,
            seconds_max=self._seconds_max,
            start_seconds_max=settings.decoder_start_seconds_max,
        )
        async with decoding as decoder:
            await self._read_up_to_age(decoder)
            # A lost connection looks like a half-close, but an acknowledgement cannot be sent over it.
            await context.client.confirm(context.responses.of_stored(self._audio_log.position))
            await decoder.end()

    async def _read_up_to_age(self, decoder: Decoder) -> None:
        """Read until the client half-closes.

        Raises:
            AudioTooLongError: The session has reached its longest age.
        """
        left = None
        if not self._audio_log.position.ended:
            left = self._age_seconds_max + seconds_until(self._context.record.create_time)
        limit = asyncio.timeout(left)
        try:
            async with limit:
                await self._read_requests(decoder)
        except TimeoutError:
            if not limit.expired():
                raise
            raise AudioTooLongError(f"a session lasts {self._age_seconds_max:g} s at most") from None

    async def _read_requests(self, decoder: Decoder) -> None:
        async for request in self._requests:
            kind = request.WhichOneof("request")
            if kind == "audio":
                if request.audio:  # an empty message is a sign of life
                    await decoder.write(request.audio)
            elif kind == "finalize":
                await decoder.settle()
                await self._audio_log.finalize()
            elif kind == "update_config":
                await decoder.settle()
                await self._update_config(request.update_config)
            elif kind == "cancel":
                raise SessionCancelled

    async def _update_config(self, update: UpdateConfig) -> None:
        refused = refusal(self._context.streamer.resolver, self._context.record.recognition, update)
        if refused is None:
            await self._audio_log.update_config(update)
        else:
            await self._audio_log.refuse_update(refused)

    async def _write(self, pcm16: bytes) -> None:
        """Write decoded samples, up to the longest session, without those that are stored already."""
        stored_bytes = min(len(pcm16), SAMPLE_BYTES * self._samples_to_skip)
        self._samples_to_skip -= stored_bytes // SAMPLE_BYTES
        pcm16 = pcm16[stored_bytes:]
        bytes_max = SAMPLE_BYTES * (self._samples_max - self._audio_log.accepted_samples)
        if pcm16[:bytes_max]:
            await self._audio_log.write(pcm16[:bytes_max])
        if len(pcm16) > bytes_max:
            raise AudioTooLongError(f"a session may have {self._seconds_max:g} s of audio")
