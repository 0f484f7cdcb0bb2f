"""The event-stream codec."""

from datetime import UTC, datetime
from typing import Any

import pytest
from amazon_transcribe.eventstream import EventStreamBuffer, EventStreamMessageSerializer

from tests.support.transcribe_service.frames import BadFrameError, FrameReader, Message, decode, encode

HEADERS: dict[str, Any] = {
    ":date": datetime(2026, 1, 2, 3, 4, 5, 678000, tzinfo=UTC),
    ":chunk-signature": bytes(range(32)),
    ":event-type": "AudioEvent",
}
MESSAGE = Message(HEADERS, b"audio")


def test_messages_of_the_sdk_are_decoded() -> None:
    """The SDK serializes a message to the same bytes, which are decoded to the same message."""
    theirs = EventStreamMessageSerializer().serialize(HEADERS, b"audio")
    assert encode(MESSAGE) == theirs
    assert decode(theirs) == MESSAGE


def test_the_sdk_decodes_our_messages() -> None:
    """The SDK accepts both CRCs, and reads the headers and the payload."""
    buffer = EventStreamBuffer()
    buffer.add_data(encode(Message({":message-type": "event"}, b"{}")))
    message = next(buffer)
    assert (message.headers, message.payload) == ({":message-type": "event"}, b"{}")


@pytest.mark.parametrize("position", range(len(encode(MESSAGE))))
def test_an_altered_byte_is_refused(position: int) -> None:
    """A message with any altered byte is refused: in prelude, header, payload or CRC."""
    data = bytearray(encode(MESSAGE))
    data[position] ^= 1
    with pytest.raises(BadFrameError):
        decode(bytes(data))


def test_the_crc_of_another_payload_is_refused() -> None:
    """The message's CRC covers the payload, not the prelude alone."""
    other = encode(Message(HEADERS, b"other"))
    data = encode(MESSAGE)
    with pytest.raises(BadFrameError, match="message's CRC"):
        decode(data[:-4] + other[-4:])


@pytest.mark.parametrize("portion", [1, 7, 1000])
def test_messages_arrive_in_portions(portion: int) -> None:
    """Messages are found in bytes of any portions."""
    data = encode(MESSAGE) * 3
    reader = FrameReader()
    found = [m for begin in range(0, len(data), portion) for m in reader.feed(data[begin : begin + portion])]
    assert found == [MESSAGE] * 3
    assert reader.waiting == 0


def test_a_truncated_message_is_refused() -> None:
    """A message without its last byte is not decoded."""
    with pytest.raises(BadFrameError, match="0 messages"):
        decode(encode(MESSAGE)[:-1])
