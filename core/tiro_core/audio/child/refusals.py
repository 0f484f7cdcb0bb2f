"""Checks before anything is decoded: encryption, and parameters that no recording has."""

import struct
from collections.abc import Sequence

from av import Packet
from av.audio.stream import AudioStream

from tiro_core.audio.child.source import FileSource
from tiro_core.audio.errors import AudioEncryptedError, AudioParametersError

RATE_HZ_MIN = 1_000
"""Below any codec of speech: half of it is the highest tone that the samples can hold."""

RATE_HZ_MAX = 768_000
"""The highest rate of converters that are sold. A higher one is a false header, and resampling it has no bound."""

CHANNELS_MAX = 64
"""FFmpeg's own most for the layouts that it can mix down."""

RIFF_HEAD = struct.Struct("<4sI4s4sIHHI")
"""RIFF, size, WAVE, `fmt `, size, format, channels, rate: the start of a wav file as nearly all programs write it."""


def check_parameters(rate: int, channels: int) -> None:
    """Refuse an absurd rate or number of channels.

    Args:
        rate: sample rate in Hz.
        channels: number of channels.

    Raises:
        AudioParametersError: one of them is out of the bounds above.
    """
    if not RATE_HZ_MIN <= rate <= RATE_HZ_MAX:
        raise AudioParametersError(f"a sample rate of {rate} Hz is not from {RATE_HZ_MIN} to {RATE_HZ_MAX} Hz")
    if not 1 <= channels <= CHANNELS_MAX:
        raise AudioParametersError(f"{channels} channels are not from 1 to {CHANNELS_MAX}")


def check_wav_header(source: FileSource) -> None:
    """Refuse a wav file by its header, which FFmpeg would only call invalid.

    Raises:
        AudioParametersError: no channel, too many, or an absurd rate.
    """
    head = source.read(RIFF_HEAD.size)
    source.seek(0)
    if len(head) < RIFF_HEAD.size:
        return
    riff, _, wave, chunk, _, _, channels, rate = RIFF_HEAD.unpack(head)
    if (riff, wave, chunk) == (b"RIFF", b"WAVE", b"fmt "):
        check_parameters(rate, channels)


def check_streams(tracks: Sequence[AudioStream]) -> None:
    """Refuse sound that has no channel: FFmpeg does not take such a stream for one to decode.

    Raises:
        AudioParametersError: no track has channels.
    """
    if not any(track.codec_context.channels for track in tracks):
        raise AudioParametersError


def check_packet(packet: "Packet[AudioStream]") -> None:
    """Refuse an encrypted packet (ISO/IEC 23001-7), which would decode to noise or to nothing.

    Raises:
        AudioEncryptedError: the packet says how it is encrypted.
    """
    if packet.has_sidedata("encryption_info"):
        raise AudioEncryptedError
