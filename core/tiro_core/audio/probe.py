"""Probing a file: its container, codec and duration."""

from contextlib import aclosing

from pydantic import TypeAdapter

from tiro_core.audio.errors import DecodeCrashedError
from tiro_core.audio.headerless import headerless_format
from tiro_core.audio.launcher import HasFileno, MediaLauncher
from tiro_core.audio.limits import DecodeLimits
from tiro_core.audio.media_process import read_json
from tiro_core.audio.report import AudioInfo
from tiro_core.audio.wire import RESULT, Job

AUDIO_INFO = TypeAdapter(AudioInfo)


async def probe(
    launcher: MediaLauncher, file: HasFileno | int, *, limits: DecodeLimits, file_name: str = ""
) -> AudioInfo:
    """Return the format and duration of the audio in `file`.

    Every packet is read and the first ones are decoded; when these do not last as long as they state, all are. The
    duration is therefore measured, not read from the header.

    Args:
        launcher: where the process comes from.
        file: an open regular file or its descriptor, read from its start, not from its position. All writes to it must
            have been flushed.
        limits: limits of the probing process, and of the duration of the audio.
        file_name: the name that the caller gives the file. Its ending counts where the bytes have no header.

    Raises:
        EmptyAudioError: the file has no bytes.
        NotAudioError: it is in no accepted container.
        NoAudioStreamError: the container has no sound.
        AudioTooShortError: there is less audio than `limits.duration_seconds_min`.
        AudioTooLongError: there is more audio than `limits.duration_seconds_max`.
        AudioUndecodableError: the sound cannot be decoded.
        DecodeTimeoutError: probing used up its time.
        DecodeCrashedError: the audio made its decoder fail.
    """
    process = await launcher.start(Job(kind="probe", limits=limits, headerless=headerless_format(file_name)), file)
    async with aclosing(process):
        message = await process.receive()
    if message.kind != RESULT:
        raise DecodeCrashedError
    return read_json(message.payload, AUDIO_INFO)
