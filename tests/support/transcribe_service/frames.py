"""AWS event-stream messages: two lengths, their CRC, headers, payload, CRC of all of it.

    total length  headers length  CRC of both  headers  payload  CRC of everything before
    4 bytes       4 bytes         4 bytes                        4 bytes

Integers are big-endian, the CRCs are CRC-32 as in zlib. A header is the length of its name in one byte, the name, the
type in one byte, the value. From the specification "Amazon Event Stream" of Smithy.
"""

import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

HeaderValue = str | bytes | datetime
"""The types that Transcribe uses: string, byte array, timestamp in whole milliseconds of UTC."""

MESSAGE_BYTES_MAX = 16 * 1024**2
_PRELUDE = struct.Struct("!III")
_CRC = struct.Struct("!I")
_LENGTH = struct.Struct("!H")
_MILLISECONDS = struct.Struct("!q")
_BYTES, _STRING, _TIMESTAMP = 6, 7, 8
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class BadFrameError(Exception):
    """Bytes that are not a valid message."""


@dataclass(frozen=True, slots=True)
class Message:
    """One message."""

    headers: Mapping[str, HeaderValue]
    payload: bytes


def encode(message: Message) -> bytes:
    """Write a message."""
    headers = encode_headers(message.headers)
    total = _PRELUDE.size + len(headers) + len(message.payload) + _CRC.size
    lengths = struct.pack("!II", total, len(headers))
    body = lengths + _CRC.pack(zlib.crc32(lengths)) + headers + message.payload
    return body + _CRC.pack(zlib.crc32(body))


def encode_headers(headers: Mapping[str, HeaderValue]) -> bytes:
    """Encode headers as in a message. Signatures cover the same bytes."""
    return b"".join(bytes((len(name),)) + name.encode() + _encode_value(value) for name, value in headers.items())


def decode(data: bytes) -> Message:
    """Read the only message in `data`.

    Raises:
        BadFrameError: It is incomplete, altered, or followed by more bytes.
    """
    reader = FrameReader()
    messages = list(reader.feed(data))
    if len(messages) != 1 or reader.waiting:
        raise BadFrameError(f"{len(messages)} messages and {reader.waiting} bytes, where there should be one message")
    return messages[0]


class FrameReader:
    """Finds messages in bytes that arrive in any portions."""

    def __init__(self) -> None:
        self._data = bytearray()

    @property
    def waiting(self) -> int:
        """Number of bytes of a message that is incomplete so far."""
        return len(self._data)

    def feed(self, data: bytes) -> Iterator[Message]:
        """Add bytes, and yield the messages that are complete.

        Raises:
            BadFrameError: A CRC or a length is wrong.
        """
        self._data += data
        while len(self._data) >= _PRELUDE.size:
            total, headers, crc = _PRELUDE.unpack_from(self._data)
            if zlib.crc32(self._data[:8]) != crc:
                raise BadFrameError("the prelude's CRC does not match")
            if not _PRELUDE.size + headers + _CRC.size <= total <= MESSAGE_BYTES_MAX:
                raise BadFrameError(f"a message of {total} bytes with headers of {headers}")
            if len(self._data) < total:
                return
            frame = bytes(self._data[:total])
            del self._data[:total]
            yield _decode_frame(frame, headers)


def _decode_frame(frame: bytes, headers_length: int) -> Message:
    body, crc = frame[: -_CRC.size], frame[-_CRC.size :]
    if _CRC.pack(zlib.crc32(body)) != crc:
        raise BadFrameError("the message's CRC does not match")
    headers_end = _PRELUDE.size + headers_length
    return Message(_decode_headers(body[_PRELUDE.size : headers_end]), body[headers_end:])


def _decode_headers(data: bytes) -> dict[str, HeaderValue]:
    headers: dict[str, HeaderValue] = {}
    position = 0
    try:
        while position < len(data):
            name_end = position + 1 + data[position]
            name = data[position + 1 : name_end].decode()
            headers[name], position = _decode_value(data, name_end)
    except (IndexError, struct.error, UnicodeDecodeError) as error:
        raise BadFrameError("headers that cannot be read") from error
    if position != len(data):
        raise BadFrameError("the last header is cut off")
    return headers


def _decode_value(data: bytes, position: int) -> tuple[HeaderValue, int]:
    """Read the value at a position. Return it with the position of its end."""
    kind = data[position]
    position += 1
    if kind == _TIMESTAMP:
        (milliseconds,) = _MILLISECONDS.unpack_from(data, position)
        return _EPOCH + timedelta(milliseconds=milliseconds), position + _MILLISECONDS.size
    if kind not in (_BYTES, _STRING):
        raise BadFrameError(f"a header of type {kind}, which Transcribe does not use")
    (length,) = _LENGTH.unpack_from(data, position)
    end = position + _LENGTH.size + length
    value = data[position + _LENGTH.size : end]
    return (value if kind == _BYTES else value.decode()), end


def _encode_value(value: HeaderValue) -> bytes:
    if isinstance(value, datetime):
        return bytes((_TIMESTAMP,)) + _MILLISECONDS.pack((value - _EPOCH) // timedelta(milliseconds=1))
    kind, data = (_BYTES, value) if isinstance(value, bytes) else (_STRING, value.encode())
    return bytes((kind,)) + _LENGTH.pack(len(data)) + data
