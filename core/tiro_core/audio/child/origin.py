"""Where the clock of a container begins, and where its header says that the sound ends."""

import av
from av.audio.stream import AudioStream
from av.container import InputContainer

from tiro_core.audio.child.boxes import boxes
from tiro_core.audio.child.formats import STATES_NO_DURATION
from tiro_core.audio.child.source import FileSource, LiveSource

MOVIE = "mov,mp4,m4a,3gp,3g2,mj2"
MATROSKA = "matroska,webm"
COUNTS_FROM_ZERO = frozenset({MATROSKA, "ogg"})
"""Containers whose duration is the timestamp of their end, also where they begin with a later one than 0."""


def start_seconds(container: InputContainer, source: FileSource | LiveSource) -> float | None:
    """Return the timestamp of the container's start, to which all its streams relate; None where it has none.

    It is the first timestamp of any stream. A movie counts from 0, and an edit list may begin with nothing; only a
    fragment of a movie that is cut from a live stream has the live stream's timestamps.
    """
    seconds = _seconds(container.start_time)
    if seconds is None:
        return None
    if container.format.name == MOVIE and isinstance(source, FileSource) and not _is_fragmented(source):
        return min(0.0, seconds)
    return seconds


def stated_end_seconds(container: InputContainer, stream: AudioStream, origin: float | None) -> float | None:
    """Return where the header says that the sound ends, in seconds from `origin`; None where it does not say."""
    name, start = container.format.name, origin or 0.0
    if name in STATES_NO_DURATION:
        return None
    if (tagged := _tagged_end(name, stream)) is not None:
        return max(0.0, tagged - start)
    if stream.duration is not None and stream.time_base is not None:
        end = float(stream.duration * stream.time_base)
        if name == MOVIE:
            end += float((stream.start_time or 0) * stream.time_base)
        return max(0.0, end - start) if name == MOVIE or name in COUNTS_FROM_ZERO else end
    stated = _seconds(container.duration)
    return max(0.0, stated - start) if stated is not None and name in COUNTS_FROM_ZERO else stated


def _seconds(time: int | None) -> float | None:
    """A time of a container, which PyAV has in microseconds; None where there is none."""
    return None if time is None else time / av.time_base


def _tagged_end(container_name: str, stream: AudioStream) -> float | None:
    """The end of a Matroska track in seconds: its tag DURATION, as in `00:00:16.008000000`."""
    if container_name != MATROSKA:
        return None
    hours, _, rest = stream.metadata.get("DURATION", "").partition(":")
    minutes, _, seconds = rest.partition(":")
    try:
        return int(hours) * 3600 + int(minutes) * 60 + float(seconds)
    except ValueError:
        return None


def _is_fragmented(source: FileSource) -> bool:
    """Whether a movie has fragments (`moof`, ISO/IEC 14496-12, section 8.8.4)."""
    return any(box.name == b"moof" for box in boxes(source))
