"""The results of probing and decoding."""

from dataclasses import dataclass

MISSING_SECONDS_TOLERATED = 0.5
"""Encoder padding and rounding make intact files differ from their header by less than this."""

MISSING_FRACTION_TOLERATED = 0.02


@dataclass(frozen=True, kw_only=True)
class AudioSource:
    """The stream that is being decoded, as found in its container.

    Attributes:
        container: FFmpeg's name of the container, for example `wav` or `mov,mp4,m4a,3gp,3g2,mj2`.
        codec: FFmpeg's name of the codec, for example `aac`.
        sample_rate_hz: rate of the source, before any resampling.
        channels: channels of the source, before mixing down.
        container_duration_seconds: the duration in the header; None where the format states none.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    container_duration_seconds: float | None


@dataclass(frozen=True, kw_only=True)
class AudioTrack:
    """One sound track of a recording that has several.

    Attributes:
        number: its number among the sound tracks, from 1.
        codec: FFmpeg's name of the codec; `unknown` where FFmpeg has none.
        channels: its channels; 0 where the container does not say.
        duration_seconds: when its sound ends, from the start of the container; None where it was not read to its end.
        language: the language as the container has it; empty where it has none.
        title: the title as the container has it; empty where it has none.
        decodable: whether its codec is accepted.
        speech_seconds: the speech in the windows that were listened to.
    """

    number: int
    codec: str
    channels: int
    duration_seconds: float | None
    language: str
    title: str
    decodable: bool
    speech_seconds: float


@dataclass(frozen=True, kw_only=True)
class AudioInfo:
    """The result of a probe.

    Attributes:
        container: FFmpeg's name of the container.
        codec: FFmpeg's name of the codec.
        sample_rate_hz: rate of the source.
        channels: channels of the source.
        duration_seconds: measured over all packets, not taken from the header.
        damaged_packets: packets that could not be read or decoded, among those that the probe has read.
        container_duration_seconds: the end of the sound as the header states it; None where it does not.
        tracks: the sound tracks; empty where the recording has one.
        track: the number of the track that is described; 0 where the recording has one.
    """

    container: str
    codec: str
    sample_rate_hz: int
    channels: int
    duration_seconds: float
    damaged_packets: int
    container_duration_seconds: float | None
    tracks: tuple[AudioTrack, ...] = ()
    track: int = 0


@dataclass(frozen=True, kw_only=True)
class DecodeReport:
    """The result of decoding, known once all audio was read.

    Attributes:
        samples: the number of decoded samples, at the output rate.
        damaged_packets: packets that were skipped because they could not be read or decoded.
        decoded_duration_seconds: `samples` divided by the output rate, with the silence between them.
        container_duration_seconds: the end of the sound as the header states it, in seconds from the container's start;
            None where it does not, or where its timestamps mean nothing.
        clock_restarts: how often the container's timestamps went back or jumped too far; the sound continues there
            without a hole.
        unread_bytes: bytes behind the sound that are no part of it, as another file that was appended.
        single_channel_seconds: the sound of which one channel was taken because the channels cancel each other out.
    """

    samples: int
    damaged_packets: int
    decoded_duration_seconds: float
    container_duration_seconds: float | None
    clock_restarts: int = 0
    single_channel_seconds: float = 0.0
    unread_bytes: int = 0

    @property
    def missing_seconds(self) -> float:
        """Seconds that the stream lacks of the duration in the header; 0.0 where the header has none."""
        if self.container_duration_seconds is None:
            return 0.0
        return max(0.0, self.container_duration_seconds - self.decoded_duration_seconds)

    @property
    def truncated(self) -> bool:
        """Whether enough is missing that the caller should be warned."""
        promised = self.container_duration_seconds or 0.0
        return self.missing_seconds > max(MISSING_SECONDS_TOLERATED, promised * MISSING_FRACTION_TOLERATED)
