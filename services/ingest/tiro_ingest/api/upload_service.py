"""`tiro.transcription.v1.UploadService`."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
from google.protobuf.empty_pb2 import Empty

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.transcription.v1 import upload_service_pb2_grpc
from tiro.transcription.v1.upload_pb2 import Upload
from tiro.transcription.v1.upload_service_pb2 import (
    CreateUploadRequest,
    DeleteUploadRequest,
    GetUploadRequest,
    WriteUploadRequest,
)
from tiro_core.errors import invalid_argument
from tiro_core.server.auth.tenant import current_tenant
from tiro_ingest.resources.conversion import public_upload
from tiro_ingest.resources.idempotency import IdempotencyStore, idempotent_request
from tiro_ingest.resources.names import upload_id
from tiro_ingest.retention.remover import Remover
from tiro_ingest.uploads.receiver import UploadReceiver
from tiro_ingest.uploads.storage_guard import StorageGuard
from tiro_ingest.uploads.store import Uploads

Context = grpc.aio.ServicerContext[Any, Any]


class UploadService(upload_service_pb2_grpc.UploadServiceServicer):
    """Creates, writes, reads and deletes uploads."""

    def __init__(
        self,
        uploads: Uploads,
        receiver: UploadReceiver,
        remover: Remover,
        *,
        request_ids: IdempotencyStore,
        guard: StorageGuard,
        bytes_max: int,
    ) -> None:
        self._uploads = uploads
        self._receiver = receiver
        self._remover = remover
        self._request_ids = request_ids
        self._guard = guard
        self._bytes_max = bytes_max

    async def CreateUpload(self, request: CreateUploadRequest, context: Context) -> Upload:  # noqa: ARG002, N802 - gRPC's
        """Create an upload."""
        announced = request.upload.size_bytes
        if announced > self._bytes_max:
            raise invalid_argument(
                reasons.ERROR_REASON_UPLOAD_TOO_LARGE,
                f"a recording may have {self._bytes_max} bytes at most",
                field_path="upload.size_bytes",
                upload_bytes_max=str(self._bytes_max),
            )
        await self._guard.require(announced)
        tenant = current_tenant()
        asked = idempotent_request(tenant, "CreateUpload", request.request_id, request)
        record = await self._uploads.create(
            tenant,
            await self._request_ids.reserve(asked),
            display_name=request.upload.display_name,
            size_bytes=announced,
            request_key=asked.key,
        )
        return public_upload(record)

    async def WriteUpload(self, requests: AsyncIterator[WriteUploadRequest], context: Context) -> Upload:  # noqa: ARG002, N802 - gRPC's
        """Write bytes, and finish the upload with the last ones."""
        return public_upload(await self._receiver.receive(current_tenant(), requests))

    async def GetUpload(self, request: GetUploadRequest, context: Context) -> Upload:  # noqa: ARG002, N802 - gRPC's
        """Return an upload."""
        return public_upload(await self._uploads.get(current_tenant(), upload_id(request.name)))

    async def DeleteUpload(self, request: DeleteUploadRequest, context: Context) -> Empty:  # noqa: ARG002, N802 - gRPC's
        """Delete an upload."""
        await self._remover.remove_upload(current_tenant(), upload_id(request.name))
        return Empty()
