"""A recording that does not fit into one message: the error names the service that takes it."""

import grpc
import pytest

from tests.integration.ingest.conftest import StartIngest
from tiro.transcription.v1.upload_service_pb2 import WriteUploadRequest

MIB = 1024 * 1024
UPLOADS = "tiro.transcription.v1.UploadService"


@pytest.mark.parametrize("mebibytes", [3, 5, 15])
async def test_a_large_recording_within_a_request(start_ingest: StartIngest, mebibytes: int) -> None:
    """Larger than the field may be (2 MiB), and larger than a message may be (4 MiB)."""
    ingest = await start_ingest()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ingest.transcribe(content=bytes(mebibytes * MIB))
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert UPLOADS in (refused.value.details() or "")
    upload = await ingest.create()
    assert upload.name, "the connection still serves"


async def test_a_message_of_a_stream(start_ingest: StartIngest) -> None:
    """Each message of an upload has the limit too."""
    ingest = await start_ingest()
    upload = await ingest.create()
    requests = [WriteUploadRequest(name=upload.name, data=bytes(5 * MIB))]
    with pytest.raises(grpc.aio.AioRpcError, match=f"{requests[0].ByteSize()} bytes"):
        await ingest.uploads.WriteUpload(requests, **ingest.options)


async def test_a_message_that_grpc_does_not_receive(start_ingest: StartIngest) -> None:
    """Memory is bounded: a message of more than four times the limit is refused before it has arrived."""
    ingest = await start_ingest()
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await ingest.transcribe(content=bytes(17 * MIB))
    assert refused.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
