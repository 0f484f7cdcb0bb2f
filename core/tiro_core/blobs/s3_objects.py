"""Reading an object in a bucket that the deployment has opened to jobs: `s3://bucket/key`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import grpc
import obstore
from obstore.exceptions import PreconditionError
from obstore.store import S3Store

from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro_core.blobs.interface import StorageRefused
from tiro_core.blobs.s3 import WRITE_PATIENCE_SECONDS
from tiro_core.blobs.s3_client import make_client, patiently
from tiro_core.errors import TiroError
from tiro_core.settings import CoreSettings

T = TypeVar("T")

RANGE_BYTES = 4 * 1024 * 1024
"""The bytes that one request reads, and a reader holds."""
_NOT_FOUND, _FORBIDDEN, _CHANGED = 404, 403, 412


@dataclass(frozen=True, slots=True)
class S3Object:
    """An object as it was when it was opened."""

    size: int
    """The size in bytes."""
    _client: S3Store
    _key: str
    _e_tag: str | None

    async def read(self, offset: int = 0) -> AsyncIterator[bytes]:
        """The bytes from `offset` on, in chunks of at most `RANGE_BYTES`. After a failure, begin after the last one.

        Raises:
            TiroError: URI_HTTP_ERROR; the object has been replaced or removed meanwhile, or may no longer be read.
            StorageUnavailable: The store did not answer in time.
        """
        for start in range(offset, self.size, RANGE_BYTES):
            options: obstore.GetOptions = {
                "range": (start, min(start + RANGE_BYTES, self.size)),
                "if_match": self._e_tag,
            }
            yield await self._read(options)

    async def _read(self, options: "obstore.GetOptions") -> bytes:
        async def get() -> bytes:
            return bytes(await (await obstore.get_async(self._client, self._key, options=options)).bytes_async())

        return await _asking(get)


async def open_object(settings: CoreSettings, bucket: str, key: str) -> S3Object:
    """Read an object's metadata with the deployment's credentials. Nothing stays open.

    Raises:
        TiroError: URI_FORBIDDEN, the deployment has not opened the bucket to jobs (`fetch_s3_buckets`); URI_INVALID,
            the key is not valid; URI_HTTP_ERROR, there is no such object, or it may not be read.
        StorageUnavailable: The store did not answer in time.
    """
    if bucket not in settings.fetch_buckets:
        message = f"this deployment reads nothing from the bucket {bucket!r}"
        raise TiroError(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_URI_FORBIDDEN, message)
    client = make_client(settings, bucket)
    try:
        found = await _asking(lambda: obstore.head_async(client, key))
    except ValueError as error:
        message = f"{key!r} is no key of an object"
        raise TiroError(grpc.StatusCode.INVALID_ARGUMENT, reasons.ERROR_REASON_URI_INVALID, message) from error
    return S3Object(found["size"], client, key, found["e_tag"])


async def _asking(call: Callable[[], Awaitable[T]]) -> T:
    try:
        return await patiently(call, WRITE_PATIENCE_SECONDS)
    except FileNotFoundError:
        raise _http_error(_NOT_FOUND, "there is no such object") from None
    except PreconditionError:
        raise _http_error(_CHANGED, "the object was replaced while it was read") from None
    except StorageRefused as error:
        raise _http_error(_FORBIDDEN, "the deployment may not read the object") from error


def _http_error(status: int, message: str) -> TiroError:
    reason, metadata = reasons.ERROR_REASON_URI_HTTP_ERROR, {"http_status": str(status)}
    return TiroError(grpc.StatusCode.FAILED_PRECONDITION, reason, message, metadata)
