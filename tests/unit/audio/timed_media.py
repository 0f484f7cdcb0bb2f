"""Recordings whose timestamps are not those of one continuous sound."""

import io
from collections.abc import Sequence
from fractions import Fraction
from typing import NamedTuple, TypeAlias

import av
import numpy as np
import numpy.typing as npt
from av import Packet
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.stream import VideoStream

AnyPacket: TypeAlias = "Packet[AudioStream] | Packet[VideoStream]"

RATE = 48_000
BEEP_SECONDS = 1.2
LOUD = 4_000
"""A fourth of the beeps' amplitude, as int16: codecs smear their ends."""
GAP_SECONDS_MIN = 0.2


class Kind(NamedTuple):
    """A container with a codec.

    Attributes:
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the encoder.
        frame_samples: the samples of one packet.
        video: FFmpeg's name of an encoder of pictures; empty for a container of sound alone.
        layout: the channels, which all have the same sound.
    """

    container: str
    codec: str
    frame_samples: int
    video: str
    layout: str = "mono"


MP4 = Kind("mp4", "aac", 1024, "mpeg4")
MOV = Kind("mov", "pcm_s16le", 1200, "mpeg4")
MATROSKA = Kind("matroska", "libopus", 960, "mpeg4")
WEBM = Kind("webm", "libopus", 960, "libvpx")
SURROUND = Kind("matroska", "aac", 1024, "mpeg4", "5.1")
MANY_CHANNELS = Kind("matroska", "pcm_s16le", 960, "mpeg4", "16 channels")
OGG = Kind("ogg", "libopus", 960, "")
MPEGTS = Kind("mpegts", "aac", 1024, "mpeg2video")
MPEG = Kind("mpeg", "mp2", 1152, "mpeg2video")
FLV = Kind("flv", "aac", 1024, "flv")


def beeps(kind: Kind, starts: Sequence[float], *, picture_seconds: float = 0.0) -> bytes:
    """Return beeps that begin at these seconds, and no packets between them.

    Args:
        kind: container and codec.
        starts: where the beeps begin, each about `BEEP_SECONDS` long.
        picture_seconds: the length of a picture that begins at 0; 0.0 for none.
    """
    sink = io.BytesIO()
    options = {"page_duration": "20000"} if kind.container == "ogg" else {}  # a page has the timestamp of its end only
    with av.open(sink, "w", format=kind.container, options=options) as output:
        packets: list[AnyPacket] = _pictures(output, kind.video, picture_seconds) if picture_seconds else []
        packets += _sound(output, kind, starts)
        for packet in sorted(packets, key=decoding_time):
            output.mux(packet)
    return sink.getvalue()


def sounding(samples: npt.NDArray[np.int16], rate: int) -> list[tuple[float, float]]:
    """Return where sounds begin and end in seconds; shorter gaps than `GAP_SECONDS_MIN` belong to them."""
    loud = np.nonzero(np.abs(samples.astype(np.int32)) > LOUD)[0]
    breaks = np.nonzero(np.diff(loud) > GAP_SECONDS_MIN * rate)[0]
    begins, ends = [0, *(breaks + 1)], [*breaks, loud.size - 1]
    return (
        [(float(loud[a] / rate), float(loud[b] / rate)) for a, b in zip(begins, ends, strict=True)] if loud.size else []
    )


def _sound(output: OutputContainer, kind: Kind, starts: Sequence[float]) -> "list[Packet[AudioStream]]":
    stream = output.add_stream(kind.codec, rate=RATE)
    assert isinstance(stream, AudioStream)
    stream.layout = kind.layout
    beep_frames = round(BEEP_SECONDS * RATE / kind.frame_samples)
    beep_samples = beep_frames * kind.frame_samples
    packets: list[Packet[AudioStream]] = []
    for number in range(len(starts) * beep_frames):
        packets += stream.encode(_tone(stream, kind.frame_samples, number * kind.frame_samples))
    packets += stream.encode(None)
    for packet in packets:
        assert packet.pts is not None
        assert packet.time_base is not None
        beep = min(len(starts) - 1, max(0, int(packet.pts * packet.time_base * RATE) // beep_samples))
        packet.pts += round((Fraction(starts[beep]) - Fraction(beep * beep_samples, RATE)) / packet.time_base)
        packet.dts = packet.pts
    return packets


def _tone(stream: AudioStream, samples: int, position: int) -> av.AudioFrame:
    at = (np.arange(samples) + position) / RATE
    values = (16_000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16).reshape(1, -1)
    channels = stream.layout.nb_channels
    if stream.format.name == "fltp":
        planes = np.repeat(values.astype(np.float32) / 32768, channels, axis=0)
        frame = av.AudioFrame.from_ndarray(planes, format="fltp", layout=stream.layout.name)
    else:
        frame = av.AudioFrame.from_ndarray(
            np.repeat(values, channels).reshape(1, -1), format="s16", layout=stream.layout.name
        )
    frame.sample_rate, frame.pts, frame.time_base = RATE, position, Fraction(1, RATE)
    return frame


def _pictures(output: OutputContainer, codec: str, seconds: float) -> list[AnyPacket]:
    stream = output.add_stream(codec, rate=10)
    assert isinstance(stream, VideoStream)
    stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
    packets: list[AnyPacket] = []
    for number in range(round(seconds * 10)):
        frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), number % 256, np.uint8), format="rgb24")
        frame.pts, frame.time_base = number, Fraction(1, 10)
        packets += stream.encode(frame)
    return [*packets, *stream.encode(None)]


def decoding_time(packet: AnyPacket) -> Fraction:
    """Return when a packet is to be decoded, in seconds."""
    assert packet.dts is not None
    assert packet.time_base is not None
    return packet.dts * packet.time_base
