"""Uploads over real connections, whole and broken."""

import secrets
from pathlib import Path

import pytest

from tests.integration.client.servers import AWAY, PART_BYTES, Deployment
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_client import AsyncClient, InvalidRequest, Unavailable
from tiro_client.calls.retrying import CALL_ATTEMPTS_MAX, STREAM_ATTEMPTS_MAX
from tiro_client.uploads.upload_client import MESSAGE_BYTES
from tiro_core.errors import invalid_argument

CONTENT = secrets.token_bytes(3 * MESSAGE_BYTES + 12_345)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    """A file of a few messages' size."""
    path = tmp_path / "talk.wav"
    path.write_bytes(CONTENT)
    return path


async def test_a_file_arrives_whole(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """A file is sent in messages of one size, with its name and size announced and its digest at the end."""
    reported: list[tuple[int, int]] = []
    upload = await client.upload(recording, progress=lambda sent, total: reported.append((sent, total)))
    server = deployment.uploads
    assert bytes(server.stored) == CONTENT
    assert server.message_sizes[:3] == [MESSAGE_BYTES] * 3
    assert (server.upload.display_name, server.upload.size_bytes) == ("talk.wav", len(CONTENT))
    assert upload.name == server.upload.name
    assert reported[-1] == (len(CONTENT), len(CONTENT))
    assert [sent for sent, _ in reported] == sorted(sent for sent, _ in reported)


async def test_a_broken_upload_is_resumed(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """After each break the client continues from what was stored, and the digest of the whole is right."""
    deployment.uploads.break_after = [2 * MESSAGE_BYTES, MESSAGE_BYTES]
    await client.upload(recording)
    assert bytes(deployment.uploads.stored) == CONTENT
    first = 2 * MESSAGE_BYTES - 2 * MESSAGE_BYTES % PART_BYTES
    second = first + MESSAGE_BYTES - MESSAGE_BYTES % PART_BYTES
    assert deployment.uploads.offsets == [0, first, second]


async def test_bytes_are_uploaded_as_files_are(client: AsyncClient, deployment: Deployment) -> None:
    """An upload of bytes in memory is resumed too."""
    deployment.uploads.break_after = [MESSAGE_BYTES]
    await client.upload(CONTENT, display_name="memory")
    assert bytes(deployment.uploads.stored) == CONTENT
    assert deployment.uploads.upload.display_name == "memory"


async def test_an_upload_without_progress_is_given_up(
    client: AsyncClient, deployment: Deployment, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of which nothing is ever stored ends with the error, after a limited number of tries."""
    monkeypatch.setattr("tiro_client.calls.retrying.WAIT_SECONDS_MAX", 0.02)
    deployment.uploads.break_after = [1] * 100
    monkeypatch.setattr("tests.integration.client.servers.PART_BYTES", 10 * MESSAGE_BYTES)
    with pytest.raises(Unavailable) as raised:
        await client.upload(recording)
    assert raised.value.reason == "NOT_READY"
    assert len(deployment.uploads.offsets) == STREAM_ATTEMPTS_MAX


async def test_a_service_may_be_away_during_an_upload(
    client: AsyncClient, deployment: Deployment, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that asks what was stored is retried for as long as an upload may be interrupted."""
    monkeypatch.setattr("tiro_client.calls.retrying.WAIT_SECONDS_MAX", 0.02)
    deployment.uploads.break_after = [2 * MESSAGE_BYTES]
    deployment.uploads.get_failures = [AWAY] * (CALL_ATTEMPTS_MAX + 1)
    await client.upload(recording)
    assert bytes(deployment.uploads.stored) == CONTENT
    assert len(deployment.uploads.offsets) == 2


async def test_a_lost_answer_is_looked_up(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """When the connection breaks after everything was stored, nothing is sent again."""
    deployment.uploads.lose_answers = 1
    upload = await client.upload(recording)
    assert upload.sha256 == deployment.uploads.upload.sha256
    assert deployment.uploads.offsets == [0]


async def test_what_is_no_recording_is_refused(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """The reason of a refusal reaches the caller, and the upload is not tried again."""
    deployment.uploads.refusal = invalid_argument(reasons.ERROR_REASON_NOT_AUDIO, "this is a text")
    with pytest.raises(InvalidRequest) as raised:
        await client.upload(recording)
    assert (raised.value.reason, raised.value.message) == ("NOT_AUDIO", "this is a text")
    assert deployment.uploads.offsets == [0]


async def test_a_refusal_while_bytes_are_sent(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """An upload that is refused before its end raises the reason, and the rest is not sent."""
    deployment.uploads.size_bytes_max = MESSAGE_BYTES // 2
    with pytest.raises(InvalidRequest) as raised:
        await client.upload(recording)
    assert raised.value.reason == "UPLOAD_TOO_LARGE"
    assert deployment.uploads.offsets == [0]


async def test_a_refusal_that_was_lost_is_looked_up(
    client: AsyncClient, deployment: Deployment, recording: Path
) -> None:
    """When the connection breaks instead of the refusal, the upload's record has it."""
    deployment.uploads.refusal = invalid_argument(reasons.ERROR_REASON_NOT_AUDIO, "this is a text")
    deployment.uploads.lose_answers = 1
    with pytest.raises(InvalidRequest) as raised:
        await client.upload(recording)
    assert raised.value.reason == "NOT_AUDIO"


async def test_creating_is_repeated_under_one_id(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """An upload whose creation was turned away is created again with the same `request_id`."""
    deployment.uploads.create_failures = [AWAY, AWAY]
    await client.upload(recording)
    assert len(deployment.uploads.request_ids) == 3
    assert len(set(deployment.uploads.request_ids)) == 1
    assert deployment.uploads.request_ids[0]


async def test_a_file_that_is_not_there(client: AsyncClient, deployment: Deployment, tmp_path: Path) -> None:
    """A missing file is the operating system's error, and no upload is begun."""
    with pytest.raises(FileNotFoundError):
        await client.upload(tmp_path / "none.wav")
    assert deployment.uploads.request_ids == []
