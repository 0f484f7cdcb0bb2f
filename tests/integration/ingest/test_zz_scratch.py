from tests.integration.ingest.conftest import *
from tests.integration.ingest.conftest import PART_BYTES, WriteUploadRequest, grpc, refused
import pytest
INVALID = grpc.StatusCode.INVALID_ARGUMENT
@pytest.mark.parametrize("n", range(12))
async def test_many(start_ingest, long_recording, n):
    ingest = await start_ingest(upload_bytes_max=3 * PART_BYTES)
    created = await ingest.create()
    async def endless():
        yield WriteUploadRequest(name=created.name)
        while True:
            yield WriteUploadRequest(data=long_recording[:100_000])
    async with refused(INVALID, "UPLOAD_TOO_LARGE") as errors:
        await ingest.uploads.WriteUpload(endless(), **ingest.options)
@pytest.mark.parametrize("n", range(6))
async def test_many2(ingest, speech, n):
    created = await ingest.create(size_bytes=1000)
    async with refused(INVALID, "UPLOAD_MISMATCH"):
        await ingest.uploads.WriteUpload([WriteUploadRequest(name=created.name), WriteUploadRequest(data=speech[:250000]), WriteUploadRequest(data=speech[250000:]),WriteUploadRequest(finish_write=True)], **ingest.options)
