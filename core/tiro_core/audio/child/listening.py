"""Listening to the sound tracks of a container, to find the one with speech."""

from collections.abc import Mapping, Sequence
from typing import Any

import av
from av import FFmpegError, Packet
from av.audio.stream import AudioStream
from av.container import InputContainer

from tiro_core.audio.child.container import AudioContainer, stated_seconds
from tiro_core.audio.child.opening import open_media, opened_tracks
from tiro_core.audio.child.source import FileSource
from tiro_core.audio.child.speech_meter import SpeechMeter
from tiro_core.audio.child.tracks import codec_context, codec_name, is_decodable, sound_tracks
from tiro_core.audio.errors import AudioError
from tiro_core.audio.mono import MonoConverter
from tiro_core.audio.report import AudioTrack

TRACKS_MAX = 16
"""Tracks that are listened to and told of; discs have up to 8 of sound."""

WINDOWS = 24
WINDOW_SECONDS = 5.0
"""Each track is listened to in this many windows of this length, spread evenly: 2 minutes in all."""

SPREAD_SECONDS = 30.0
"""From one window to the next where the container states no duration."""

UNDETERMINED = "und"
"""The code that movies have where no language is set (ISO 639-2)."""

TITLE_CHARACTERS_MAX = 100
RATE_HZ = 16_000

DEFAULT_SHARE_MIN = 0.25
"""The default track is heard unless it has less than this part of another one's speech: a film in several languages
has much in each, the sound of a desktop beside a microphone has hardly any."""


class _Listener:
    """Listens to one track."""

    def __init__(
        self, number: int, stream: AudioStream, opened: AudioContainer | None, *, spread_seconds: float
    ) -> None:
        self._number = number
        self._stream = stream
        self._opened = opened
        self._spread_seconds = spread_seconds
        self._converter = MonoConverter(RATE_HZ)
        self._meter = SpeechMeter()
        self._end = 0.0

    @property
    def has_heard_enough(self) -> bool:
        """Whether all windows are heard, or the track's codec is not accepted."""
        return self._meter.heard_seconds >= WINDOWS * WINDOW_SECONDS or self._opened is None

    def hear(self, packet: "Packet[Any]") -> None:
        """Take the next packet of the track, and listen to it if it is in a window."""
        if self._opened is None:
            return
        time = (self._opened.time_of(packet) or 0.0) - (self._opened.origin or 0.0)
        self._end = max(self._end, time + stated_seconds(packet))
        if self.has_heard_enough or time % self._spread_seconds >= WINDOW_SECONDS:
            return
        try:
            piece = self._opened.decode(packet)
        except AudioError:  # of this track alone: it is not listened to any further
            self._opened = None
            return
        for frame in piece.frames if piece is not None else ():
            self._meter.push(self._converter.convert(frame))

    def track(self, *, at_end: bool) -> AudioTrack:
        """Return what is known of the track; its length only once the end was reached."""
        context = codec_context(self._stream)
        return AudioTrack(
            number=self._number,
            codec=codec_name(self._stream),
            channels=context.channels if context is not None else 0,
            duration_seconds=self._end if at_end else None,
            language=_language(self._stream),
            title=self._stream.metadata.get("title", "")[:TITLE_CHARACTERS_MAX],
            decodable=is_decodable(self._stream),
            speech_seconds=round(self._meter.speech_seconds, 2),
        )


def listen(source: FileSource, *, headerless: str = "") -> list[AudioTrack]:
    """Return the sound tracks of a container, with the speech in windows of each.

    A container with one track, or without any whose codec is accepted, is not listened to: the list is empty.

    Args:
        source: the container.
        headerless: the format without a header to take where none is recognised; empty for none.

    Raises:
        AudioError: the container cannot be opened.
    """
    media = open_media(source, headerless=headerless)
    streams = sound_tracks(media)[:TRACKS_MAX]
    if len(streams) == 1:
        return []
    heard = [stream for stream in streams if is_decodable(stream)]
    if not heard:
        return []
    spread = _spread_seconds(media)
    opened = dict(zip((stream.index for stream in heard), opened_tracks(media, heard, source), strict=True))
    listeners = {
        stream.index: _Listener(number, stream, opened.get(stream.index), spread_seconds=spread)
        for number, stream in enumerate(streams, start=1)
    }
    at_end = _hear(media, heard, listeners)
    return [listener.track(at_end=at_end) for listener in listeners.values()]


def _language(track: AudioStream) -> str:
    return "" if track.language in (None, UNDETERMINED) else track.language


def _hear(media: InputContainer, streams: Sequence[AudioStream], listeners: Mapping[int, _Listener]) -> bool:
    """Pass packets to their listeners until all have heard enough; return whether the end was reached."""
    try:
        for packet in media.demux(*streams):
            if not packet.size:
                continue
            listeners[packet.stream.index].hear(packet)
            if all(listener.has_heard_enough for listener in listeners.values()):
                return False
    except MemoryError:
        raise
    except FFmpegError:  # damage: what was heard before it has to do
        return False
    return True


def _spread_seconds(media: InputContainer) -> float:
    if media.duration is None:
        return SPREAD_SECONDS
    return max(WINDOW_SECONDS, media.duration / av.time_base / WINDOWS)


def track_with_speech(tracks: Sequence[AudioTrack], default: int) -> int:
    """Return the number of the track to be heard: the default one, or one with far more speech.

    Args:
        tracks: the tracks, the default one among them.
        default: the number of the track that a player takes.
    """
    speech = {track.number: track.speech_seconds for track in tracks if track.decodable}
    most = max(speech, key=lambda number: speech[number])
    return most if speech[default] < DEFAULT_SHARE_MIN * speech[most] else default
