"""The messages between a service and its decoding process.

The bytes that the child reads may have taken control of it. So its messages have a fixed header, lengths with a limit,
JSON and samples: nothing that could run code in the parent. A message is one kind byte, a little-endian uint32 length,
and that number of bytes.
"""

import json
import struct
from dataclasses import asdict, dataclass
from typing import Any, Literal

from tiro_core.audio.limits import DecodeLimits

HEADER = struct.Struct("<cI")
PAYLOAD_BYTES_MAX = 256 * 1024
EXIT_STATUS = struct.Struct("<i")  # what the lifeline carries when the process has ended; negative for a signal

SOURCE = b"S"  # JSON of AudioSource, once, before the first audio
AUDIO = b"A"  # int16 mono samples in the machine's byte order
RESULT = b"R"  # JSON of AudioInfo or DecodeReport, the last message of a good run
ERROR = b"E"  # JSON of a reason and a message, the last message of a refusal


@dataclass(frozen=True, kw_only=True)
class Job:
    """The work of a decoding process.

    Attributes:
        kind: which function of the child runs.
        limits: limits of the process.
        rate: output sample rate in Hz; None keeps the source's own.
        channel: the one channel to decode, counted from 0; None mixes all of them.
        track: the sound track to decode, from 1; 0 takes the one that a player takes.
        headerless: FFmpeg's name of the format of a file that is in no format with a header; empty for none.
        live_format: container that a live stream was announced to be; empty for files.
    """

    kind: Literal["probe", "decode", "live"]
    limits: DecodeLimits
    rate: int | None = None
    channel: int | None = None
    track: int = 0
    headerless: str = ""
    live_format: str = ""

    def to_bytes(self) -> bytes:
        """Return the job as JSON."""
        return json.dumps(asdict(self)).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Job":
        """Return the job that `to_bytes` wrote."""
        fields: dict[str, Any] = json.loads(data)
        return cls(**{**fields, "limits": DecodeLimits(**fields["limits"])})


def pack(kind: bytes, payload: bytes) -> bytes:
    """Return one message."""
    return HEADER.pack(kind, len(payload)) + payload
