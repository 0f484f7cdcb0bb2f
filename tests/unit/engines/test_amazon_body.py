"""How awscrt is given the audio of streams: all there is at once, and no core is kept busy where there is none."""

import threading
import time

import pytest
from amazon_transcribe.structures import BufferableByteStream

from tiro_engines.amazon_transcribe.body import WAIT_SECONDS, PacedBody


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Give the waits that are taken, without taking them."""
    taken: list[float] = []
    monkeypatch.setattr(time, "sleep", taken.append)
    return taken


def test_a_read_takes_all_there_is(waits: list[float]) -> None:
    """Pieces that wait are read together, up to the room there is; the rest comes next, then the end."""
    written = BufferableByteStream()
    reader = PacedBody(written)
    for piece in (b"ab", b"cd", b"efg"):
        written.write(piece)
    room = bytearray(6)
    assert reader.readinto(room) == 6
    assert room == b"abcdef"
    reader.end()
    assert reader.readinto(room) == 1
    assert room[:1] == b"g"
    assert reader.readinto(room) == 0
    assert waits == []


def test_a_thread_rests_once_a_round(waits: list[float]) -> None:
    """However many streams have nothing to send, the thread that asks them all waits when it begins again."""
    bodies = [PacedBody(BufferableByteStream()) for _ in range(3)]

    def ask() -> None:
        for reader in bodies * 5:
            with pytest.raises(BlockingIOError):
                reader.readinto(bytearray(1))

    thread = threading.Thread(target=ask)
    thread.start()
    thread.join()
    assert waits == [WAIT_SECONDS] * 4
