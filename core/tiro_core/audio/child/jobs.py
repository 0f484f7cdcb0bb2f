"""The work of a decoding process, from its limits to its last message."""

import json
import socket
from dataclasses import asdict, replace

from av import FFmpegError

from tiro_core.audio.child.confine import confine
from tiro_core.audio.child.flac import LiveFlac
from tiro_core.audio.child.listening import listen, track_with_speech
from tiro_core.audio.child.measure import measure
from tiro_core.audio.child.opening import open_container
from tiro_core.audio.child.pcm_sender import FrameReader, PcmSender
from tiro_core.audio.child.source import FileSource, LiveSource
from tiro_core.audio.errors import (
    AudioError,
    AudioFormatMismatchError,
    AudioUndecodableError,
    EmptyAudioError,
    NotAudioError,
)
from tiro_core.audio.report import AudioInfo
from tiro_core.audio.wire import ERROR, RESULT, Job, pack

FILE_CHUNK_BYTES = 64 * 1024
"""Two seconds at 16 kHz: large enough that messages cost little, small enough that the first comes soon."""

DRAIN_BYTES = 64 * 1024
LIVE_MAGIC = {"flac": b"fLaC", "ogg": b"OggS"}
LIVE_OGG_CODECS = frozenset({"opus"})


def run(job: Job, channel: socket.socket, file_fd: int | None) -> None:
    """Do `job`, exchanging messages with the parent through `channel`.

    Args:
        job: what to do.
        channel: results go out here, live audio comes in.
        file_fd: the file to read; None for a live stream.
    """
    confine(job.limits)
    try:
        _answer(job, channel, file_fd)
    except ConnectionError:
        return  # the parent has closed the channel: no process reads the result


def _answer(job: Job, channel: socket.socket, file_fd: int | None) -> None:
    """Do the job and send its messages, the last of which is a refusal when the audio cannot be used."""
    try:
        _dispatch(job, channel, file_fd)
    except AudioError as error:
        refusal = error
    except MemoryError:
        refusal = AudioUndecodableError("the audio needs more memory than allowed")
    except FFmpegError:
        refusal = AudioUndecodableError()
    else:
        return
    channel.sendall(pack(ERROR, json.dumps({"reason": refusal.reason, "message": str(refusal)}).encode()))
    _drain(channel)


def _dispatch(job: Job, channel: socket.socket, file_fd: int | None) -> None:
    if file_fd is None:
        PcmSender(_open_live(job, LiveSource(channel)), job, channel, chunk_bytes=1).run()
        return
    source = FileSource(file_fd)
    if source.size == 0:
        raise EmptyAudioError
    if job.kind == "probe":
        channel.sendall(pack(RESULT, json.dumps(asdict(_probe(source, job))).encode()))
    else:
        container = open_container(source, track=job.track, headerless=job.headerless)
        PcmSender(container, job, channel, chunk_bytes=FILE_CHUNK_BYTES, source=source).run()


def _probe(source: FileSource, job: Job) -> AudioInfo:
    tracks = listen(source, headerless=job.headerless)
    container = open_container(source, headerless=job.headerless)
    if not tracks:
        return measure(container, job.limits)
    track = track_with_speech(tracks, container.track)
    if track != container.track:
        container = open_container(source, track=track)
    return replace(measure(container, job.limits), tracks=tuple(tracks), track=track)


def _open_live(job: Job, source: LiveSource) -> FrameReader:
    magic = LIVE_MAGIC[job.live_format]
    start = source.peek(len(magic))
    if not start:
        raise EmptyAudioError
    if start != magic:
        raise AudioFormatMismatchError(f"the stream does not begin as {job.live_format} does")
    if job.live_format == "flac":
        return LiveFlac(source)
    try:
        container = open_container(source, container_format=job.live_format)
    except NotAudioError:
        raise AudioFormatMismatchError(f"the stream is not {job.live_format}") from None
    if container.codec not in LIVE_OGG_CODECS:
        raise AudioFormatMismatchError(f"the ogg stream holds {container.codec}")
    return container


def _drain(channel: socket.socket) -> None:
    """Take what a live caller is still writing, so that it meets the error rather than a closed pipe."""
    while channel.recv(DRAIN_BYTES):
        pass
