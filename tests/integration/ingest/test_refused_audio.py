"""Refused recordings: each kind has its reason, and other uploads are not affected."""

from collections.abc import Callable
from pathlib import Path

import av
import grpc
import numpy as np
import pytest

from tests.hostile.corpus import CENC
from tests.hostile.files import encode
from tests.hostile.files import wav as hostile_wav
from tests.integration.ingest.conftest import SAMPLES, Ingest, StartIngest, encoded, reason_of, refused, wav
from tiro.transcription.v1.upload_pb2 import Upload
from tiro_core.blobs.interface import PartMissing
from tiro_core.blobs.jetstream import JetStreamBlobStore
from tiro_core.blobs.keys import upload_key
from tiro_core.messaging.connection import Bus

INVALID = grpc.StatusCode.INVALID_ARGUMENT
RATE_HZ = 16_000


def _tone(seconds: float) -> "np.typing.NDArray[np.int16]":
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (8_000 * np.sin(2 * np.pi * 440 * at)).astype(np.int16).reshape(1, -1)


def _silent_video(folder: Path) -> bytes:
    path = folder / "video.mp4"
    with av.open(str(path), "w") as output:
        stream = output.add_stream("mpeg4", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(10):
            output.mux(stream.encode(av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="rgb24")))
        output.mux(stream.encode(None))
    return path.read_bytes()


def _text(_: Path) -> bytes:
    return b"This is a letter and no recording. " * 50


def _ffconcat(folder: Path) -> bytes:
    other = folder / "another.wav"
    other.write_bytes((SAMPLES / "dictation.wav").read_bytes())
    return f"ffconcat version 1.0\nfile '{other}'\n".encode()


def _sdp(_: Path) -> bytes:
    return b"v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=audio 5004 RTP/AVP 0\n"


def _m3u8(_: Path) -> bytes:
    return b"#EXTM3U\n#EXT-X-TARGETDURATION:10\n#EXTINF:10,\nhttp://127.0.0.1:9/a.ts\n#EXT-X-ENDLIST\n"


def _clip(_: Path) -> bytes:
    return wav(_tone(0.05), RATE_HZ)


@pytest.mark.parametrize(
    "case",
    [
        (lambda _: b"", "EMPTY_AUDIO"),
        (_text, "NOT_AUDIO"),
        (_ffconcat, "NOT_AUDIO"),
        (_sdp, "NOT_AUDIO"),
        (_m3u8, "NOT_AUDIO"),
        (_silent_video, "NO_AUDIO_STREAM"),
        (_clip, "AUDIO_TOO_SHORT"),
        (lambda _: encode("mp4", "aac", CENC), "AUDIO_ENCRYPTED"),
        (lambda _: hostile_wav(channels=0), "AUDIO_PARAMETERS"),
    ],
    ids=["empty", "text", "ffconcat", "sdp", "m3u8", "silent-video", "clip", "encrypted", "no-channel"],
)
async def test_an_invalid_recording_fails_its_upload(
    ingest: Ingest,
    bus: Bus,
    tenant: str,
    tmp_path: Path,
    case: tuple[Callable[[Path], bytes], str],
) -> None:
    """An invalid recording is refused with its reason. Its upload is FAILED, and its bytes are deleted."""
    make, reason = case
    created = await ingest.create()
    async with refused(INVALID, reason):
        await ingest.write(created.name, make(tmp_path))
    upload = await ingest.get(created.name)
    assert upload.state == Upload.STATE_FAILED
    assert reason in str(upload.error.details)
    with pytest.raises(PartMissing):
        await JetStreamBlobStore(bus).get_part(upload_key(tenant, upload.name.removeprefix("uploads/")), 0)
    async with refused(grpc.StatusCode.FAILED_PRECONDITION, "UPLOAD_NOT_READY"):
        await ingest.transcribe(upload=created.name)


async def test_inline_audio_is_checked_as_an_upload_is(ingest: Ingest) -> None:
    """A job with text as its content is refused, also if the request is repeated."""
    for _ in range(2):
        async with refused(INVALID, "NOT_AUDIO"):
            await ingest.transcribe(content=b"This is a letter.", request_id="letter")


async def test_a_recording_beyond_the_length_limit_is_refused(start_ingest: StartIngest) -> None:
    """The limit is on seconds, not on bytes: silence as FLAC has few bytes."""
    ingest = await start_ingest(audio_seconds_max=5)
    silence = encoded(np.zeros((1, 6 * RATE_HZ), np.int16), RATE_HZ, container="flac", codec="flac")
    assert len(silence) < 10_000
    async with refused(INVALID, "AUDIO_TOO_LONG"):
        await ingest.upload(silence)


async def test_a_truncated_mp3_is_accepted_with_its_real_length(ingest: Ingest) -> None:
    """Half of an MP3 file has half the duration, measured from its packets and not read from its header."""
    whole = encoded(_tone(10), RATE_HZ, container="mp3", codec="mp3")
    upload = await ingest.upload(whole[: len(whole) // 2])
    assert upload.audio.codec.startswith("mp3")
    assert upload.audio.duration.ToTimedelta().total_seconds() == pytest.approx(5, abs=0.5)


@pytest.mark.parametrize("file", ["panel.ogg", "conversation.flac", "spanish.flac", "no_speech.flac"])
async def test_every_sample_file_is_accepted(ingest: Ingest, file: str) -> None:
    """Recordings with several containers, rates and channels are accepted."""
    upload = await ingest.upload((SAMPLES / file).read_bytes())
    assert upload.state == Upload.STATE_READY
    assert upload.audio.channel_count == (2 if file == "conversation.flac" else 1)


async def test_a_refused_upload_does_not_affect_another(ingest: Ingest, speech: bytes) -> None:
    """A valid upload is accepted although invalid ones are refused meanwhile."""
    good = await ingest.create()
    for data in (b"", _text(Path())):
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await ingest.upload(data)
        assert reason_of(caught.value) in ("EMPTY_AUDIO", "NOT_AUDIO")
    assert (await ingest.write(good.name, speech)).state == Upload.STATE_READY
