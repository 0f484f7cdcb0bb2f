"""Blobs in an S3-compatible store: each part is an object, `<prefix>/<tenant>/<id>/.../<part>`."""

import hashlib
import secrets
from collections.abc import Sequence

import obstore
from obstore.exceptions import AlreadyExistsError, PreconditionError
from obstore.store import S3Store

from tiro_core.blobs.interface import (
    NOTHING,
    PAGE_PARTS_MAX,
    PartConflict,
    PartMissing,
    PartPage,
    Revision,
    StoredPart,
    require_part_size,
)
from tiro_core.blobs.s3_client import patiently
from tiro_core.blobs.settling import settled

WRITE_PATIENCE_SECONDS = 60.0
"""How long a write is tried again while the store does not answer, before it fails."""
WRITE_ID_BYTES = 16
DIGEST_BYTES = hashlib.sha256().digest_size
FRAME_BYTES = WRITE_ID_BYTES + DIGEST_BYTES
"""An object begins with the id of its write and the SHA-256 of its data; then comes the data.

The id gives every write another ETag, which S3 computes from the bytes alone: without it a writer that was replaced
could take the next writer's part for its own, and overwrite it. The id also distinguishes a write whose answer was lost
from a lost race."""
KEYS_DELETED_AT_ONCE = 1000
"""The most keys that one request of S3 lists or deletes."""


class S3BlobStore:
    """Blobs as objects in a bucket. A revision is an object's ETag, a cursor of a listing an object's path.

    Args:
        client: The client of the bucket.
        prefix: The prefix of every object's key; empty for none.
        read_patience_seconds: How long a read is tried again while the store does not answer.
        write_patience_seconds: The same for a write, and for a read that a write depends on.
    """

    kind = "s3"
    lists_oldest_first = False

    def __init__(
        self,
        client: S3Store,
        prefix: str,
        *,
        read_patience_seconds: float,
        write_patience_seconds: float = WRITE_PATIENCE_SECONDS,
    ) -> None:
        self._client = client
        self._prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
        self._write_patience_seconds = write_patience_seconds
        self._read_patience_seconds = read_patience_seconds

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""
        path, body = self._path(key, index), _framed(data)
        put = patiently(
            lambda: obstore.put_async(self._client, path, body, use_multipart=False), self._write_patience_seconds
        )
        await settled(put)

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: Revision) -> None:
        """Store a part if its present revision is `revision`.

        Raises:
            PartConflict: The part has another revision.
        """
        path, body = self._path(key, index), _framed(data)
        mode: obstore.PutMode = "create" if revision == NOTHING else {"e_tag": revision}
        put = patiently(lambda: obstore.put_async(self._client, path, body, mode=mode), self._write_patience_seconds)
        try:
            await settled(put)
        except (AlreadyExistsError, PreconditionError):
            if await self._write_id(path) != body[:WRITE_ID_BYTES]:
                raise PartConflict(path) from None

    async def part_revision(self, key: str, index: int) -> Revision:
        """The revision of a part, `NOTHING` when it does not exist."""
        path = self._path(key, index)
        try:
            found = await patiently(lambda: obstore.head_async(self._client, path), self._write_patience_seconds)
        except FileNotFoundError:
            return NOTHING
        return Revision(found["e_tag"] or "")

    async def get_part(self, key: str, index: int, *, size: int | None = None) -> bytes:
        """Read a part.

        Raises:
            PartMissing: The part does not exist, is damaged, or has another size.
        """
        path = self._path(key, index)
        try:
            body = await patiently(lambda: self._get(path), self._read_patience_seconds)
        except FileNotFoundError:
            raise PartMissing(f"part {index} of {key} is not there") from None
        data = bytes(body[FRAME_BYTES:])
        if len(body) < FRAME_BYTES or hashlib.sha256(data).digest() != body[WRITE_ID_BYTES:FRAME_BYTES]:
            raise PartMissing(f"part {index} of {key} is damaged")
        if size is not None and len(data) != size:
            raise PartMissing(f"part {index} of {key} has {len(data)} bytes, not {size}")
        return data

    async def delete(self, key: str) -> None:
        """Delete every part of a blob, and of every blob below it."""
        await patiently(lambda: self._delete_below(f"{self._prefix}{_as_path(key)}/"), self._write_patience_seconds)

    async def list_parts(self, *, after: str = "", below: str = "", limit: int = PAGE_PARTS_MAX) -> PartPage:
        """List the parts that are stored, in the order of their paths. See `BlobStore.list_parts`."""
        prefix = f"{self._prefix}{_as_path(below)}/" if below else self._prefix
        found = await patiently(lambda: self._list(prefix, after, limit), self._read_patience_seconds)
        parts = [part for item in found if (part := self._part(item)) is not None]
        return PartPage(parts, found[-1]["path"] if len(found) == limit else None)

    async def _list(self, prefix: str, after: str, limit: int) -> "Sequence[obstore.ObjectMeta]":
        pages = obstore.list(self._client, prefix or None, offset=after or None, chunk_size=limit)
        return await anext(pages, [])

    def _part(self, item: "obstore.ObjectMeta") -> StoredPart | None:
        """The part that an object is. None: the object is not a part, in a bucket with other contents."""
        path = item["path"]
        name, _, index = path.removeprefix(self._prefix).rpartition("/")
        if "." in name or not index.isdecimal():
            return None
        return StoredPart(name.replace("/", "."), int(index), item["last_modified"].timestamp(), path)

    async def _delete_below(self, prefix: str) -> None:
        async for found in obstore.list(self._client, prefix, chunk_size=KEYS_DELETED_AT_ONCE):
            await obstore.delete_async(self._client, [item["path"] for item in found])

    async def _get(self, path: str) -> memoryview:
        return memoryview(await (await obstore.get_async(self._client, path)).bytes_async())

    async def _write_id(self, path: str) -> bytes:
        """The id of the write that stored an object; empty when the object does not exist."""
        try:
            found = await patiently(
                lambda: obstore.get_range_async(self._client, path, start=0, length=WRITE_ID_BYTES),
                self._write_patience_seconds,
            )
        except FileNotFoundError:
            return b""
        return bytes(found)

    def _path(self, key: str, index: int) -> str:
        return f"{self._prefix}{_as_path(key)}/{index}"


def _as_path(key: str) -> str:
    return key.replace(".", "/")


def _framed(data: bytes) -> bytes:
    require_part_size(data)
    return secrets.token_bytes(WRITE_ID_BYTES) + hashlib.sha256(data).digest() + data
