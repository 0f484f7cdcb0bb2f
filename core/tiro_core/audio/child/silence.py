"""Silence in the form of decoded sound."""

from collections.abc import Iterator

from av import AudioFrame, Packet
from av.audio.stream import AudioStream

FRAME_SECONDS_MAX = 1.0
"""The longest frame that is made at once, which bounds the memory for hours of silence."""

LAYOUTS = frozenset({"mono", "stereo"})
"""Layouts of silent frames. PyAV crashes on planes of more than 8 channels, and silence is the same in any layout."""

UNSIGNED_FORMATS = frozenset({"u8", "u8p"})
UNSIGNED_SILENCE = b"\x80"

AMR_FRAMES = {"amrnb": (8, 160, 8_000), "amrwb": (9, 320, 16_000)}
"""The first frame type without speech, the samples of a frame, and the rate (3GPP TS 26.101 and TS 26.201)."""


def silence_like(frame: AudioFrame, seconds: float) -> Iterator[AudioFrame]:
    """Yield frames of silence with the format and rate of `frame`, and with its channels if they are one or two."""
    layout = frame.layout.name if frame.layout.name in LAYOUTS else "mono"
    left = round(seconds * frame.sample_rate)
    while left > 0:
        samples = min(left, max(1, round(FRAME_SECONDS_MAX * frame.sample_rate)))
        yield _silent_frame(frame.format.name, layout, samples, frame.sample_rate)
        left -= samples


def discontinuous_frame(packet: "Packet[AudioStream]") -> AudioFrame | None:
    """Return the silence that an AMR packet without speech stands for; None for any other packet.

    A sender without speech transmits comfort noise parameters or nothing. FFmpeg's decoders refuse such frames.
    """
    kind = AMR_FRAMES.get(packet.stream.codec_context.name)
    if kind is None or not packet.size:
        return None
    first_without_speech, samples, rate = kind
    frame_type = bytes(packet)[0] >> 3 & 0x0F
    return _silent_frame("flt", "mono", samples, rate) if frame_type >= first_without_speech else None


def _silent_frame(sample_format: str, layout: str, samples: int, rate: int) -> AudioFrame:
    frame = AudioFrame(format=sample_format, layout=layout, samples=samples)
    frame.sample_rate = rate
    silence = UNSIGNED_SILENCE if sample_format in UNSIGNED_FORMATS else b"\0"
    for plane in frame.planes:
        plane.update(silence * plane.buffer_size)
    return frame
