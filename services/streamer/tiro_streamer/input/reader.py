"""What comes in: the client's audio, decoded, and its controls, brought to the session's line."""

from collections.abc import Awaitable, Callable

from tiro.events.v1.live_pb2 import SessionRecord
from tiro.streaming.v1.streaming_pb2 import UpdateConfig
from tiro_core.audio.errors import AudioError, AudioTooLongError
from tiro_core.audio.launcher import MediaLauncher
from tiro_core.audio.pcm import SAMPLE_BYTES
from tiro_core.errors import TiroError
from tiro_streamer.audio_log.writer import AudioLogWriter
from tiro_streamer.errors import first_fault
from tiro_streamer.input.decoders.factory import open_decoder
from tiro_streamer.input.requests import RequestStream
from tiro_streamer.settings import StreamerSettings


class SessionCancelled(Exception):  # noqa: N818 - the client asked for it
    """The client does not want the session any more."""


class RequestReader:
    """Reads one client."""

    def __init__(
        self,
        requests: RequestStream,
        record: SessionRecord,
        line: AudioLogWriter,
        *,
        launcher: MediaLauncher,
        settings: StreamerSettings,
        check_update: Callable[[UpdateConfig], None],
        confirm_half_close: Callable[[], Awaitable[None]],
        skip_samples: int = 0,
    ) -> None:
        """Prepare to read.

        Args:
            requests: What the client sends.
            record: Its session.
            line: Where audio and controls go.
            launcher: Where decoding processes come from.
            settings: The limits.
            check_update: Raises a `TiroError` for a change of config that cannot be served.
            confirm_half_close: Returns if the end of the requests was the client's wish, and not the loss of it.
            skip_samples: So many, from the first on, are stored already and come again.
        """
        self._requests = requests
        self._check_update = check_update
        self._confirm_half_close = confirm_half_close
        self._skip_samples = skip_samples
        self._format = record.format
        self._line = line
        self._launcher = launcher
        self._settings = settings
        self._samples_max = int(settings.session_seconds_max * record.sample_rate_hertz)
        self.fault: TiroError | None = None
        """What was wrong with the input. The good part before it is transcribed, then the client is told."""

    async def run(self) -> None:
        """Read until the client half-closes or does something wrong, then end the line."""
        try:
            await self._read()
        except (TiroError, AudioError, ExceptionGroup) as failure:
            fault = first_fault(failure)
            if not isinstance(fault, TiroError):
                raise
            self.fault = fault
        await self._line.end()

    async def _read(self) -> None:
        decoding = open_decoder(
            self._format,
            self._take,
            launcher=self._launcher,
            seconds_max=self._settings.session_seconds_max,
            start_seconds_max=self._settings.decoder_start_seconds_max,
        )
        async with decoding as decoder:
            async for request in self._requests:
                kind = request.WhichOneof("request")
                if kind == "audio":
                    await decoder.write(request.audio)
                elif kind == "finalize":
                    await decoder.settle()
                    await self._line.finalize()
                elif kind == "update_config":
                    self._check_update(request.update_config)
                    await decoder.settle()
                    await self._line.update_config(request.update_config)
                elif kind == "cancel":
                    raise SessionCancelled
            await self._confirm_half_close()
            await decoder.end()

    async def _take(self, pcm16: bytes) -> None:
        known_bytes = min(len(pcm16), SAMPLE_BYTES * self._skip_samples)
        self._skip_samples -= known_bytes // SAMPLE_BYTES
        pcm16 = pcm16[known_bytes:]
        room_bytes = SAMPLE_BYTES * (self._samples_max - self._line.accepted_samples)
        if pcm16[:room_bytes]:
            await self._line.write(pcm16[:room_bytes])
        if len(pcm16) > room_bytes:
            raise AudioTooLongError(f"a session takes {self._settings.session_seconds_max:g} s of audio")
