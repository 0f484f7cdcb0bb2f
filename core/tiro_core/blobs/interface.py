"""What a blob store does, whatever it is made of."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NewType, Protocol

PART_BYTES = 512 * 1024
"""The size of every part but the last. Half of NATS's default limit for a message."""
PAGE_PARTS_MAX = 1000
"""The most parts in one page of a listing: what one request of S3 lists."""

Revision = NewType("Revision", str)
"""Names what is stored as a part at a moment. Two writes never have the same one, also when their bytes are the same:
a writer that was replaced must not take the next one's part for what it saw before."""

NOTHING = Revision("")
"""The revision of a part that is not there."""


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A part in a listing."""

    key: str
    """The blob that it is part of."""
    index: int
    """Which part, counted from 0."""
    stored_at: float
    """When it was stored, in seconds since 1970 by the store's clock."""
    cursor: str
    """Where a listing continues behind it."""


@dataclass(frozen=True, slots=True)
class PartPage:
    """A piece of a listing."""

    parts: Sequence[StoredPart]
    """It may be empty although more follow: not everything in a store is a part."""
    next: str | None
    """Where the listing continues. None: this is its end."""


class PartMissing(Exception):  # noqa: N818 - reads as the condition it reports
    """A part is not there, or not what was stored."""


class PartConflict(Exception):  # noqa: N818 - the loser of a race has made no error
    """Another writer has written the part first."""


class StorageUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """The blob store did not answer for longer than we wait. Trying again later may help."""


class StorageRefused(StorageUnavailable):
    """The store answers and refuses the request: no such bucket, wrong credentials, missing rights.

    Only an operator can mend it, so to a caller it is the same as a store that does not answer.
    """


class BlobStore(Protocol):
    """Where audio and transcripts are kept.

    Every method raises what its store raises while it does not answer: `BusUnavailable` of NATS, `StorageUnavailable`
    of S3. A write that is cancelled ends once the store has answered it (`settling.py`): who deletes a blob after its
    writers have ended has deleted it.
    """

    kind: str
    """What it is made of, as `TIRO_BLOB_STORE` says it. Cursors are good for one kind."""
    lists_oldest_first: bool
    """Whether `list_parts` gives parts in the order in which they were stored. What is stored later then comes behind
    every cursor. Otherwise it gives them in the order of their keys, and what is stored later may come before."""

    async def put_part(self, key: str, index: int, data: bytes) -> None:
        """Store or replace a part of at most `PART_BYTES`."""

    async def put_part_expecting(self, key: str, index: int, data: bytes, *, revision: Revision) -> None:
        """Store a part if what is there now has this revision.

        Raises:
            PartConflict: Something else is there.
        """

    async def part_revision(self, key: str, index: int) -> Revision:
        """The revision of a part, `NOTHING` when it is not there."""

    async def get_part(self, key: str, index: int, *, size: int | None = None) -> bytes:
        """Read a part.

        Args:
            key: The blob.
            index: Which part, counted from 0.
            size: How many bytes it has. None: any number.

        Raises:
            PartMissing: It is not there, damaged, or not of this size.
        """

    async def delete(self, key: str) -> None:
        """Delete every part of a blob, and of every blob below it."""

    async def list_parts(self, *, after: str = "", below: str = "", limit: int = PAGE_PARTS_MAX) -> PartPage:
        """List the parts that are stored, page by page. What is stored or deleted meanwhile may be missing.

        Args:
            after: Where to continue: the cursor of a part, or the `next` of a page. Empty: at the beginning.
            below: List only blobs whose keys begin with this key and a dot. Empty: all.
            limit: The most parts in the page, up to `PAGE_PARTS_MAX`.
        """


def require_part_size(data: bytes) -> None:
    """Refuse what no store takes.

    Raises:
        ValueError: It has more than `PART_BYTES`.
    """
    if len(data) > PART_BYTES:
        raise ValueError(f"a part has at most {PART_BYTES} bytes, not {len(data)}")
