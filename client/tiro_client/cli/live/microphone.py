"""The microphone, through PortAudio."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from tiro_client.cli.live.audio_source import CHUNK_SECONDS, AudioSourceError
from tiro_client.live.config import AudioEncoding

SAMPLE_RATE = 16_000
BUFFERED_CHUNKS_MAX = 100
"""Chunks that are kept while the service does not accept them: 10 s. Beyond it the recording ends with an error."""

INSTALL_HINT = "install it with `pip install 'tiro-client[microphone]'`, or give a file: `tiro listen FILE`"


@dataclass(frozen=True, slots=True)
class Microphone:
    """The default microphone."""

    portaudio: Any
    """The module `sounddevice`."""
    report: Callable[[str], None]
    """Called with what the user should know about the recording."""
    encoding: AudioEncoding = AudioEncoding.LINEAR16
    sample_rate: int = SAMPLE_RATE
    channels: int = 1

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """The recorded audio, until the generator is closed.

        Raises:
            AudioSourceError: There is no microphone, or the service accepts the audio too slowly.
        """
        loop = asyncio.get_running_loop()
        recorded: asyncio.Queue[bytes | None] = asyncio.Queue()
        overflowed = False

        def keep(data: bytes, *, overflow: bool) -> None:
            nonlocal overflowed
            if overflow and not overflowed:
                overflowed = True
                self.report("some audio was lost: this machine is too busy to read the microphone in time")
            # One item beyond the limit says that the limit was reached.
            if recorded.qsize() <= BUFFERED_CHUNKS_MAX:
                recorded.put_nowait(data if recorded.qsize() < BUFFERED_CHUNKS_MAX else None)

        def on_audio(data: Any, _frames: int, _time: Any, status: Any) -> None:
            # PortAudio calls this in a thread of its own, and reuses the buffer.
            loop.call_soon_threadsafe(partial(keep, bytes(data), overflow=status.input_overflow))

        stream = self._open(on_audio)
        try:
            while (data := await recorded.get()) is not None:
                yield data
        finally:
            stream.close()
        waiting = BUFFERED_CHUNKS_MAX * CHUNK_SECONDS
        raise AudioSourceError(f"the service accepts the audio too slowly: {waiting:.0f} s of it wait to be sent")

    def _open(self, on_audio: Callable[[Any, int, Any, Any], None]) -> Any:
        try:
            stream = self.portaudio.RawInputStream(
                samplerate=SAMPLE_RATE,
                channels=1,
                dtype="int16",
                blocksize=round(SAMPLE_RATE * CHUNK_SECONDS),
                callback=on_audio,
            )
            stream.start()
        except self.portaudio.PortAudioError as error:
            raise AudioSourceError(f"the microphone cannot be opened: {error}") from None
        return stream


def open_microphone(report: Callable[[str], None]) -> Microphone:
    """The default microphone.

    Args:
        report: Called with what the user should know about the recording.

    Raises:
        AudioSourceError: The extra `microphone`, or PortAudio itself, is not installed.
    """
    try:
        import sounddevice  # noqa: PLC0415 - an optional extra, and its import opens the audio system
    except ImportError:
        raise AudioSourceError(f"the microphone needs the extra `microphone`: {INSTALL_HINT}") from None
    except OSError as error:
        # The wheels for Linux do not contain the library.
        raise AudioSourceError(
            f"the microphone needs PortAudio, on Debian the package libportaudio2 ({error}); "
            "or give a file: `tiro listen FILE`"
        ) from None
    return Microphone(sounddevice, report)
