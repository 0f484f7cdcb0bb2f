"""The keys of blobs: names divided by dots. Blobs whose keys begin with the same names are deleted together.

| key | contents |
|---|---|
| `<tenant>.<upload>.audio` | an upload |
| `<tenant>.<job>.transcript.<epoch>` | the transcript that one owner of a job wrote |
| `<tenant>.<job>.part.<index>.audio` | the audio of a part of a job |
| `<tenant>.<job>.part.<index>.transcript.<epoch>` | the transcript that one owner of a part wrote |
| `maintenance.store` | the id of the deployment that the store belongs to |

The id of a part is `<job>.<index>`.
"""

import re
from dataclasses import dataclass
from enum import Enum

STORE_ID_KEY = "maintenance.store"
_PART = "part"
_UUID = r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
_KEY = re.compile(
    rf"(?P<tenant>[a-z0-9-]{{1,40}})\.(?P<id>(?:shadow-)?{_UUID})(?:\.{_PART}\.(?P<index>\d+))?"
    r"\.(?:(?P<audio>audio)|transcript\.\d+)"
)


class BlobKind(Enum):
    """The contents of a blob."""

    AUDIO = "audio"
    TRANSCRIPT = "transcript"


@dataclass(frozen=True, slots=True)
class BlobName:
    """The owner and the kind of a blob, as its key names them."""

    tenant: str
    resource: str
    """The id of the upload, job or live session that it belongs to."""
    part: str
    """The index of the part of that job. Empty: the blob does not belong to a part."""
    kind: BlobKind

    @property
    def owner_id(self) -> str:
        """The id of its upload, job, live session or part."""
        return f"{self.resource}.{self.part}" if self.part else self.resource

    @property
    def key(self) -> str:
        """The key under which it is deleted: all transcripts of a job together."""
        key = upload_key if self.kind is BlobKind.AUDIO else transcripts_key
        return key(self.tenant, self.owner_id)


def blob_name(key: str) -> BlobName | None:
    """Read a key. None: it has none of the forms in the table above."""
    found = _KEY.fullmatch(key)
    if found is None:
        return None
    kind = BlobKind.AUDIO if found["audio"] else BlobKind.TRANSCRIPT
    return BlobName(found["tenant"], found["id"], found["index"] or "", kind)


def upload_key(tenant: str, upload_id: str) -> str:
    """The blob of an upload, or of a part's audio."""
    return f"{_owner(tenant, upload_id)}.audio"


def transcripts_key(tenant: str, job: str) -> str:
    """All transcripts of a job, or of a part."""
    return f"{_owner(tenant, job)}.transcript"


def transcript_key(tenant: str, job: str, epoch: int) -> str:
    """The blob of a transcript as one owner of the job wrote it."""
    return f"{transcripts_key(tenant, job)}.{epoch}"


def parts_key(tenant: str, job: str) -> str:
    """All blobs of all parts of a job."""
    return f"{tenant}.{job}.{_PART}"


def _owner(tenant: str, resource: str) -> str:
    job, is_part, index = resource.partition(".")
    return f"{parts_key(tenant, job)}.{index}" if is_part else f"{tenant}.{resource}"
