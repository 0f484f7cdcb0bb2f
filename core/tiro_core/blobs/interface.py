"""What a blob store does, whatever it is made of."""

from typing import NewType, Protocol

PART_BYTES = 512 * 1024
"""The size of every part but the last. Half of NATS's default limit for a message."""

Revision = NewType("Revision", str)
"""Names what is stored as a part at a moment. Two writes never have the same one, also when their bytes are the same:
a writer that was replaced must not take the next one's part for what it saw before."""

NOTHING = Revision("")
"""The revision of a part that is not there."""


class PartMissing(Exception):  # noqa: N818 - reads as the condition it reports
    """A part is not there, or not what was stored."""


class PartConflict(Exception):  # noqa: N818 - the loser of a race has made no error
    """Another writer has written the part first."""


class StorageUnavailable(Exception):  # noqa: N818 - reads as the condition it reports
    """The store of blobs stayed away for longer than we wait. Trying again later may help."""


class StorageRefused(StorageUnavailable):
    """The store answers, and does not let us: no such bucket, wrong credentials, missing rights.

    It is an operator's to mend, so to a caller it is the same as a store that is away.
    """


class BlobStore(Protocol):
    """Where audio and transcripts are kept.

    Every method raises what its store raises while it is away: `BusUnavailable` of NATS, `StorageUnavailable` of S3.
    """

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


def require_part_size(data: bytes) -> None:
    """Refuse what no store takes.

    Raises:
        ValueError: It has more than `PART_BYTES`.
    """
    if len(data) > PART_BYTES:
        raise ValueError(f"a part has at most {PART_BYTES} bytes, not {len(data)}")
