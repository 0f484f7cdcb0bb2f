"""Opening a container, confined to what is accepted."""

from collections.abc import Sequence
from typing import Never

import av
from av import FFmpegError
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.stream import Discard

from tiro_core.audio.child.chunks import correct_sound_size
from tiro_core.audio.child.container import AudioContainer
from tiro_core.audio.child.edit_lists import NO_EDITS, read_edit_lists
from tiro_core.audio.child.formats import CONTAINERS, DECODERS
from tiro_core.audio.child.origin import start_seconds
from tiro_core.audio.child.refusals import check_wav_header
from tiro_core.audio.child.source import FileSource, LiveSource
from tiro_core.audio.child.tracks import default_track, numbered_track
from tiro_core.audio.errors import NotAudioError
from tiro_core.audio.headerless import HEADERLESS_BY_NAME


def open_media(
    source: FileSource | LiveSource, *, container_format: str | None = None, headerless: str = ""
) -> InputContainer:
    """Open the container in `source`, which is read from its start.

    Args:
        source: bytes to read.
        container_format: FFmpeg's name of the only container to try; None recognises any accepted one.
        headerless: the format without a header to take where none is recognised; empty for none.

    Raises:
        AudioParametersError: the header of a wav file has no channel, too many, or an absurd sample rate.
        NotAudioError: no accepted container was recognised.
    """
    if isinstance(source, FileSource):
        source.seek(0)
        check_wav_header(source)
        correct_sound_size(source)
        read_edit_lists(source)
    try:
        return _opened(source, container_format, CONTAINERS, {})
    except NotAudioError:
        if not headerless or not isinstance(source, FileSource):
            raise
    source.seek(0)
    return _opened(source, headerless, (headerless,), HEADERLESS_BY_NAME[headerless].options)


def _opened(
    source: FileSource | LiveSource, container_format: str | None, allowed: Sequence[str], options: dict[str, str]
) -> InputContainer:
    confinement = {"format_whitelist": ",".join(allowed), "codec_whitelist": ",".join(DECODERS)}
    try:
        return av.open(
            source,
            mode="r",
            format=container_format,
            container_options={**confinement, **options},
            metadata_errors="replace",
            io_open=_refuse_to_open,
        )
    except MemoryError:
        raise
    except FFmpegError as error:
        raise NotAudioError from error


def open_container(
    source: FileSource | LiveSource, *, track: int = 0, container_format: str | None = None, headerless: str = ""
) -> AudioContainer:
    """Open one sound track of the container in `source`.

    Args:
        source: bytes to read.
        track: the number of the track, from 1; 0 takes the one that a player takes.
        container_format: FFmpeg's name of the only container to try; None recognises any accepted one.
        headerless: the format without a header to take where none is recognised; empty for none.

    Raises:
        AudioParametersError: no channel, too many, or an absurd sample rate.
        AudioTrackNotFoundError: there is no track with this number.
        AudioUndecodableError: the sound is in a codec that is not accepted.
        NoAudioStreamError: the container has no sound.
        NotAudioError: no accepted container was recognised.
    """
    media = open_media(source, container_format=container_format, headerless=headerless)
    stream = numbered_track(media, track) if track else default_track(media)
    return opened_tracks(media, [stream], source)[0]


def opened_tracks(
    media: InputContainer, streams: Sequence[AudioStream], source: FileSource | LiveSource
) -> list[AudioContainer]:
    """Return sound tracks ready for reading; packets of all others are passed over."""
    for other in media.streams:
        if all(other.index != stream.index for stream in streams):
            other.discard = Discard.all
    origin = start_seconds(media, source)
    edits = read_edit_lists(source) if isinstance(source, FileSource) else {}
    for stream in streams:
        stream.codec_context.thread_count = 1  # one process a job is the unit of parallel work
    return [AudioContainer(media, stream, origin=origin, edits=edits.get(stream.index, NO_EDITS)) for stream in streams]


def _refuse_to_open(*_: object) -> Never:
    raise PermissionError("media may not refer to other files")
