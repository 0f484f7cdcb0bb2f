"""The microphone, with a fake sound library."""

from collections.abc import Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

import pytest

from tiro_client.cli.live import microphone
from tiro_client.cli.live.audio_source import AudioSourceError
from tiro_client.cli.live.microphone import Microphone

OK = SimpleNamespace(input_overflow=False)
OVERFLOW = SimpleNamespace(input_overflow=True)


@dataclass
class SoundLibrary:
    """The part of `sounddevice` that the microphone uses. At its start it passes `recorded` to the callback."""

    recorded: list[tuple[bytes, SimpleNamespace]]
    closed: bool = False
    PortAudioError: type[Exception] = LookupError
    opened: dict[str, Any] = field(default_factory=dict)

    def RawInputStream(self, *, callback: Callable[[Any, int, Any, Any], None], **options: Any) -> "SoundLibrary":  # noqa: N802 - the library's name
        """Open a stream."""
        self.opened = options
        self._callback = callback
        return self

    def start(self) -> None:
        """Pass all recordings to the callback."""
        for data, status in self.recorded:
            self._callback(data, len(data) // 2, None, status)

    def close(self) -> None:
        """Stop recording."""
        self.closed = True


async def test_recorded_blocks_come_in_order() -> None:
    """Each recorded block is a chunk, and the stream is closed with the generator."""
    library = SoundLibrary([(b"one ", OK), (b"two ", OK)])
    reports: list[str] = []
    async with aclosing(Microphone(library, reports.append).chunks()) as chunks:
        assert [await anext(chunks), await anext(chunks)] == [b"one ", b"two "]
    assert library.closed
    assert library.opened["samplerate"] == microphone.SAMPLE_RATE
    assert reports == []


async def test_audio_that_the_system_discards_is_reported_once() -> None:
    """An overflow of the sound system leaves a gap in the recording, which is reported to the user."""
    library = SoundLibrary([(b"one ", OK), (b"two ", OVERFLOW), (b"six ", OVERFLOW)])
    reports: list[str] = []
    async with aclosing(Microphone(library, reports.append).chunks()) as chunks:
        assert [await anext(chunks) for _ in range(3)] == [b"one ", b"two ", b"six "]
    [report] = reports
    assert "audio was lost" in report


async def test_audio_that_is_not_read_ends_the_recording(monkeypatch: pytest.MonkeyPatch) -> None:
    """Recorded audio waits up to a limit. Beyond it the recording ends with an error, after the waiting audio."""
    monkeypatch.setattr(microphone, "BUFFERED_CHUNKS_MAX", 3)
    library = SoundLibrary([(bytes([number]), OK) for number in range(9)])
    async with aclosing(Microphone(library, lambda _: None).chunks()) as chunks:
        assert [await anext(chunks) for _ in range(3)] == [b"\0", b"\1", b"\2"]
        with pytest.raises(AudioSourceError, match="too slowly"):
            await anext(chunks)
    assert library.closed
