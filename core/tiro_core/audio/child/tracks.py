"""The sound tracks of a container."""

from collections.abc import Sequence

from av.audio.codeccontext import AudioCodecContext
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Disposition

from tiro_core.audio.child.formats import DECODERS
from tiro_core.audio.child.refusals import check_streams
from tiro_core.audio.errors import AudioTrackNotFoundError, AudioUndecodableError, NoAudioStreamError

DESCRIBED_BY_PACKETS = frozenset({"mpeg", "mpegts"})
"""Containers that do not state rate and channels: those of sound that begins late are known with its first frame."""


def sound_tracks(container: InputContainer) -> list[AudioStream]:
    """Return the sound tracks, in the order of the container."""
    return [stream for stream in container.streams if isinstance(stream, AudioStream)]


def codec_context(track: AudioStream) -> AudioCodecContext | None:
    """Return the decoder of a track; None for a codec that FFmpeg does not know, whatever PyAV's types say."""
    return track.codec_context


def is_decodable(track: AudioStream) -> bool:
    """Return whether a track's codec is accepted."""
    context = codec_context(track)
    return context is not None and context.codec.name in DECODERS


def codec_name(track: AudioStream) -> str:
    """Return FFmpeg's name of a track's codec; `unknown` where FFmpeg has none."""
    context = codec_context(track)
    return "unknown" if context is None else context.codec.canonical_name


def numbered_track(container: InputContainer, number: int) -> AudioStream:
    """Return the track with this number, from 1.

    Raises:
        AudioTrackNotFoundError: there is none.
        AudioUndecodableError: its codec is not accepted.
    """
    tracks = sound_tracks(container)
    if not 1 <= number <= len(tracks):
        raise AudioTrackNotFoundError(f"the recording has {len(tracks)} sound tracks, and no track {number}")
    track = tracks[number - 1]
    if not is_decodable(track):
        raise AudioUndecodableError(f"the audio codec {codec_name(track)} of track {number} is not accepted")
    return track


def default_track(container: InputContainer) -> AudioStream:
    """Return the track that a player takes, or else the first one whose codec is accepted.

    Raises:
        AudioParametersError: no track has a channel.
        AudioUndecodableError: no track's codec is accepted.
        NoAudioStreamError: there is no track.
    """
    tracks = sound_tracks(container)
    if not tracks:
        raise NoAudioStreamError
    decodable = [track for track in tracks if is_decodable(track)]
    if not decodable:
        raise AudioUndecodableError(_refused(tracks))
    if container.format.name not in DESCRIBED_BY_PACKETS:
        check_streams(decodable)
    best = container.streams.best("audio")
    if isinstance(best, AudioStream) and is_decodable(best):
        return best
    return next((track for track in decodable if track.disposition & Disposition.default), decodable[0])


def _refused(tracks: Sequence[AudioStream]) -> str:
    names = list(dict.fromkeys(codec_name(track) for track in tracks))
    if len(names) == 1:
        return f"the audio codec {names[0]} is not accepted"
    return f"none of the audio codecs {', '.join(names)} is accepted"
