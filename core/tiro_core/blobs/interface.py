"""The protocol of blob stores."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

PART_BYTES = 512 * 1024
"""The size of every part but the last. Half of NATS's default limit for a message."""
PAGE_PARTS_MAX = 1000
"""The most parts in one page of a listing: the limit of one request of S3."""

Revision = NewType("Revision", str)
"""Names one write of a part. Two writes never have the same revision, also when their bytes are the same: a writer that
was replaced must not take the next writer's part for its own."""

NOTHING = Revision("")
"""The revision of a part that does not exist."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part in a listing."""

    key: str
    """The key of its blob."""
    index: int
    """The index of the part in its blob, counted from 0."""
    stored_at: float
    """When the part was stored, in seconds since 1970 by the store's clock."""
    cursor: str
    """From where a listing continues after this part."""


@dataclass(frozen=True, slots=True)
class PartPage:
    """A page of a listing."""

    parts: Sequence[StoredPart]
    """The parts of the page. It may be empty although more follow: not everything in a store is a part."""
    next: str | None
    """From where the listing continues. None: this is its last page."""


class PartMissing(Exception):  # noqa: N818 - reads as the condition it reports
    """A part does not exist, or is not what was stored."""


class PartConflict(Exception):  # noqa: N818 - the loser of a race has made no error
    """Another writer has written the part first."""


class StorageUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """The blob store did not answer in time. Trying again later may help."""


class StorageRefused(StorageUnavailable):
    """The store answers and refuses the request: no such bucket, wrong credentials, missing rights.

    Only an operator can repair that, so to a caller it is the same as a store that does not answer.
    """


class BlobStore(Protocol):
    """A store of audio and transcripts.

    While the store does not answer, every method raises `BusUnavailable` (NATS) or `StorageUnavailable` (S3). A write
    that is cancelled ends once the store has answered it (`settling.py`): a blob that is deleted after its writers have
    ended stays deleted.
    """

    kind: str
    """The kind of the store, a value of `TIRO_BLOB_STORE`. Cursors are valid for one kind."""
    lists_oldest_first: bool
    """Whether `list_parts` lists parts in the order in which they were stored: then a part that is stored later comes
    after every cursor. Otherwise parts are listed in the order of their keys."""

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: Revision) -> None:
        """Store a part if its present revision is `revision`.

        Raises:
            PartConflict: The part has another revision.
        """

    async def part_revision(self, key: str, index: int) -> Revision:
        """The revision of a part, `NOTHING` when it does not exist."""

    async def get_part(self, key: str, index: int, *, size: int | None = None) -> bytes:
        """Read a part.

        Args:
            key: The blob.
            index: Which part, counted from 0.
            size: The number of bytes that it must have. None: any number.

        Raises:
            PartMissing: The part does not exist, is damaged, or has another size.
        """

    async def delete(self, key: str) -> None:
        """Delete every part of a blob, and of every blob below it."""

    async def list_parts(self, *, after: str = "", below: str = "", limit: int = PAGE_PARTS_MAX) -> PartPage:
        """List the parts that are stored, page by page. Parts that are stored or deleted meanwhile may be missing.

        Args:
            after: From where to continue: the cursor of a part, or the `next` of a page. Empty: at the beginning.
            below: List only blobs whose keys begin with this key and a dot. Empty: all.
            limit: The most parts in the page, up to `PAGE_PARTS_MAX`.
        """


def require_part_size(data: bytes) -> None:
    """Refuse a part that is too large.

    Raises:
        ValueError: The part has more than `PART_BYTES` bytes.
    """
    if len(data) > PART_BYTES:
        raise ValueError(f"a part has at most {PART_BYTES} bytes, not {len(data)}")
