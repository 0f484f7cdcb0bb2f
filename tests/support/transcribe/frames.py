"""Messages of `application/vnd.amazon.eventstream`: prelude, headers, payload, with a CRC-32 of each.

The layout is that of "Event stream encoding" in Amazon Transcribe's developer guide.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

PRELUDE_BYTES = 12
CRC_BYTES = 4
MESSAGE_BYTES_MAX = 1 << 20
_BYTES, _STRING, _TIMESTAMP = 6, 7, 8

HeaderValue = str | bytes | datetime


class BadFrame(Exception):  # noqa: N818 - reads as the condition it reports
    """The bytes are no message, or not the one that was sent."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    headers: Mapping[str, HeaderValue]
    payload: bytes = b""


def encode(message: Message) -> bytes:
    """The bytes of a message."""
    headers = encode_headers(message.headers)
    total = PRELUDE_BYTES + len(headers) + len(message.payload) + CRC_BYTES
    prelude = struct.pack("!II", total, len(headers))
    body = prelude + struct.pack("!I", zlib.crc32(prelude)) + headers + message.payload
    return body + struct.pack("!I", zlib.crc32(body))


def encode_headers(headers: Mapping[str, HeaderValue]) -> bytes:
    """The bytes of headers, in their order."""
    encoded = b""
    for name, value in headers.items():
        encoded += struct.pack("!B", len(name)) + name.encode()
        if isinstance(value, datetime):
            encoded += struct.pack("!Bq", _TIMESTAMP, round(value.timestamp() * 1000))
        else:
            raw = value.encode() if isinstance(value, str) else value
            encoded += struct.pack("!BH", _STRING if isinstance(value, str) else _BYTES, len(raw)) + raw
    return encoded


def decode(data: bytes) -> Message:
    """Read the one message that these bytes are.

    Raises:
        BadFrame: A length or a checksum is wrong.
    """
    messages = list(Decoder().feed(data))
    if len(messages) != 1:
        raise BadFrame("not one message")
    return messages[0]


@dataclass(slots=True)
class Decoder:
    """Reads messages out of bytes as they come."""

    _pending: bytes = field(default=b"")

    def feed(self, data: bytes) -> Iterator[Message]:
        """Take bytes, and give the messages that are complete.

        Raises:
            BadFrame: A length or a checksum is wrong.
        """
        self._pending += data
        while len(self._pending) >= PRELUDE_BYTES:
            total, headers_length, crc = struct.unpack_from("!III", self._pending)
            if crc != zlib.crc32(self._pending[:8]):
                raise BadFrame("the prelude's checksum is wrong")
            if not PRELUDE_BYTES + headers_length + CRC_BYTES <= total <= MESSAGE_BYTES_MAX:
                raise BadFrame("the lengths cannot be")
            if len(self._pending) < total:
                return
            whole, self._pending = self._pending[:total], self._pending[total:]
            if struct.unpack("!I", whole[-CRC_BYTES:])[0] != zlib.crc32(whole[:-CRC_BYTES]):
                raise BadFrame("the message's checksum is wrong")
            headers_end = PRELUDE_BYTES + headers_length
            yield Message(_decode_headers(whole[PRELUDE_BYTES:headers_end]), whole[headers_end:-CRC_BYTES])


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    position = 0
    while position < len(data):
        length = data[position]
        name = data[position + 1 : position + 1 + length].decode()
        kind = data[position + 1 + length]
        position += 2 + length
        if kind == _TIMESTAMP:
            headers[name] = datetime.fromtimestamp(struct.unpack_from("!q", data, position)[0] / 1000, UTC)
            position += 8
        elif kind in (_BYTES, _STRING):
            size = struct.unpack_from("!H", data, position)[0]
            raw = data[position + 2 : position + 2 + size]
            headers[name] = raw.decode() if kind == _STRING else raw
            position += 2 + size
        else:
            raise BadFrame(f"a header of type {kind}")
    return headers
