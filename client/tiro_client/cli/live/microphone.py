"""The microphone, through PortAudio."""

import asyncio
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from typing import Any

from tiro_client.cli.live.audio_source import CHUNK_SECONDS, AudioSourceError
from tiro_client.live.config import AudioEncoding

SAMPLE_RATE = 16_000
BUFFERED_CHUNKS_MAX = 100
"""How much is kept while the service does not take it: 10 s."""

INSTALL_HINT = "install it with `pip install 'tiro-client[microphone]'`, or give a file: `tiro listen FILE`"


@dataclass(frozen=True, slots=True)
class Microphone:
    """The default microphone."""

    portaudio: Any
    """The module `sounddevice`."""
    encoding: AudioEncoding = AudioEncoding.LINEAR16
    sample_rate: int = SAMPLE_RATE

    async def chunks(self) -> AsyncGenerator[bytes, None]:
        """What is heard, until the generator is closed.

        Raises:
            AudioSourceError: There is no microphone, or the service takes the audio too slowly.
        """
        loop = asyncio.get_running_loop()
        heard: asyncio.Queue[bytes | None] = asyncio.Queue()

        def keep(data: bytes) -> None:
            # One more than the limit says that the limit was reached.
            if heard.qsize() <= BUFFERED_CHUNKS_MAX:
                heard.put_nowait(data if heard.qsize() < BUFFERED_CHUNKS_MAX else None)

        def on_audio(data: Any, _frames: int, _time: Any, _status: Any) -> None:
            # PortAudio calls this in a thread of its own, and takes the buffer back.
            loop.call_soon_threadsafe(keep, bytes(data))

        stream = self._open(on_audio)
        try:
            while (data := await heard.get()) is not None:
                yield data
        finally:
            stream.close()
        waiting = BUFFERED_CHUNKS_MAX * CHUNK_SECONDS
        raise AudioSourceError(f"the service takes the audio too slowly: {waiting:.0f} s of it wait")

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


def open_microphone() -> Microphone:
    """The default microphone.

    Raises:
        AudioSourceError: The extra `microphone`, or PortAudio itself, is not installed.
    """
    try:
        import sounddevice  # noqa: PLC0415 - an optional extra, and its import opens the audio system
    except ImportError:
        raise AudioSourceError(f"listening to a microphone needs the extra `microphone`: {INSTALL_HINT}") from None
    except OSError as error:
        # The wheels for Linux do not bring the library along.
        raise AudioSourceError(
            f"listening to a microphone needs PortAudio, on Debian the package libportaudio2 ({error}); "
            "or give a file: `tiro listen FILE`"
        ) from None
    return Microphone(sounddevice)
