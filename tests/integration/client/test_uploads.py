"""Uploads over real connections, with faults."""

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


async def test_a_file_is_uploaded(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """A file is sent in messages of one size. Name and size are announced, and the digest is sent at the end."""
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
    """After each break the client continues at the stored size, and the digest of the whole is right."""
    deployment.uploads.break_after = [2 * MESSAGE_BYTES, MESSAGE_BYTES]
    await client.upload(recording)
    assert bytes(deployment.uploads.stored) == CONTENT
    first = 2 * MESSAGE_BYTES - 2 * MESSAGE_BYTES % PART_BYTES
    second = first + MESSAGE_BYTES - MESSAGE_BYTES % PART_BYTES
    assert deployment.uploads.offsets == [0, first, second]


async def test_an_upload_of_bytes_is_resumed(client: AsyncClient, deployment: Deployment) -> None:
    """A broken upload of bytes in memory is resumed, too."""
    deployment.uploads.break_after = [MESSAGE_BYTES]
    await client.upload(CONTENT, display_name="memory")
    assert bytes(deployment.uploads.stored) == CONTENT
    assert deployment.uploads.upload.display_name == "memory"


async def test_an_upload_without_progress_is_given_up(
    client: AsyncClient, deployment: Deployment, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An upload of which no byte is stored raises its error after `STREAM_ATTEMPTS_MAX` attempts."""
    monkeypatch.setattr("tiro_client.calls.retrying.WAIT_SECONDS_MAX", 0.02)
    deployment.uploads.break_after = [1] * 100
    monkeypatch.setattr("tests.integration.client.servers.PART_BYTES", 10 * MESSAGE_BYTES)
    with pytest.raises(Unavailable) as raised:
        await client.upload(recording)
    assert raised.value.reason == "NOT_READY"
    assert len(deployment.uploads.offsets) == STREAM_ATTEMPTS_MAX


async def test_an_upload_survives_an_unavailable_service(
    client: AsyncClient, deployment: Deployment, recording: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The call that reads the stored size is retried for longer than other calls."""
    monkeypatch.setattr("tiro_client.calls.retrying.WAIT_SECONDS_MAX", 0.02)
    deployment.uploads.break_after = [2 * MESSAGE_BYTES]
    deployment.uploads.get_failures = [AWAY] * (CALL_ATTEMPTS_MAX + 1)
    await client.upload(recording)
    assert bytes(deployment.uploads.stored) == CONTENT
    assert len(deployment.uploads.offsets) == 2


async def test_an_upload_whose_answer_was_lost_is_not_repeated(
    client: AsyncClient, deployment: Deployment, recording: Path
) -> None:
    """When the connection breaks after all bytes were stored, no byte is sent again."""
    deployment.uploads.lose_answers = 1
    upload = await client.upload(recording)
    assert upload.sha256 == deployment.uploads.upload.sha256
    assert deployment.uploads.offsets == [0]


async def test_a_refusal_is_raised_without_a_retry(
    client: AsyncClient, deployment: Deployment, recording: Path
) -> None:
    """The reason of a refusal is raised, and the upload is not repeated."""
    deployment.uploads.refusal = invalid_argument(reasons.ERROR_REASON_NOT_AUDIO, "this is a text")
    with pytest.raises(InvalidRequest) as raised:
        await client.upload(recording)
    assert (raised.value.reason, raised.value.message) == ("NOT_AUDIO", "this is a text")
    assert deployment.uploads.offsets == [0]


async def test_a_refusal_while_bytes_are_sent(client: AsyncClient, deployment: Deployment, recording: Path) -> None:
    """An upload that is refused before its end raises the reason, and sends no further bytes."""
    deployment.uploads.size_bytes_max = MESSAGE_BYTES // 2
    with pytest.raises(InvalidRequest) as raised:
        await client.upload(recording)
    assert raised.value.reason == "UPLOAD_TOO_LARGE"
    assert deployment.uploads.offsets == [0]


async def test_a_lost_refusal_is_read_from_the_upload(
    client: AsyncClient, deployment: Deployment, recording: Path
) -> None:
    """When the answer with a refusal is lost, its reason is read from the upload."""
    deployment.uploads.refusal = invalid_argument(reasons.ERROR_REASON_NOT_AUDIO, "this is a text")
    deployment.uploads.lose_answers = 1
    with pytest.raises(InvalidRequest) as raised:
        await client.upload(recording)
    assert raised.value.reason == "NOT_AUDIO"


async def test_a_failed_creation_is_repeated_with_the_same_id(
    client: AsyncClient, deployment: Deployment, recording: Path
) -> None:
    """A creation with a transient error is repeated with the same `request_id`."""
    deployment.uploads.create_failures = [AWAY, AWAY]
    await client.upload(recording)
    assert len(deployment.uploads.request_ids) == 3
    assert len(set(deployment.uploads.request_ids)) == 1
    assert deployment.uploads.request_ids[0]


async def test_a_missing_file_is_an_error(client: AsyncClient, deployment: Deployment, tmp_path: Path) -> None:
    """A missing file raises FileNotFoundError, and no upload is created."""
    with pytest.raises(FileNotFoundError):
        await client.upload(tmp_path / "none.wav")
    assert deployment.uploads.request_ids == []
