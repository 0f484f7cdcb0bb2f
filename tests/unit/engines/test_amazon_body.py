"""The body that awscrt reads: all waiting audio at once, and no busy loop while there is none."""

import threading
import time

import pytest
from amazon_transcribe.structures import BufferableByteStream

from tiro_engines.amazon_transcribe.body import WAIT_SECONDS, PacedBody


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The sleeps of the reading thread, recorded instead of slept."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def test_a_read_takes_all_waiting_audio(waits: list[float]) -> None:
    """A read joins waiting pieces, up to the size of its buffer. The next one gets the rest, then the end."""
    written = BufferableByteStream()
    reader = PacedBody(written)
    for piece in (b"ab", b"cd", b"efg"):
        written.write(piece)
    buffer = bytearray(6)
    assert reader.readinto(buffer) == 6
    assert buffer == b"abcdef"
    reader.end()
    assert reader.readinto(buffer) == 1
    assert buffer[:1] == b"g"
    assert reader.readinto(buffer) == 0
    assert waits == []


def test_a_thread_sleeps_once_a_round(waits: list[float]) -> None:
    """A thread that polls several streams without audio sleeps once for each round, not once for each stream."""
    bodies = [PacedBody(BufferableByteStream()) for _ in range(3)]

    def ask() -> None:
        for reader in bodies * 5:
            with pytest.raises(BlockingIOError):
                reader.readinto(bytearray(1))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert waits == [WAIT_SECONDS] * 4
