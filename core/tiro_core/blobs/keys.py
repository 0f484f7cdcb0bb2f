"""The keys of blobs. A dot divides them; what has the same first names is deleted together."""


def upload_key(tenant: str, upload_id: str) -> str:
    """The blob of an upload."""
    return f"{tenant}.{upload_id}.audio"


def transcripts_key(tenant: str, job: str) -> str:
    """All transcripts of a job."""
    return f"{tenant}.{job}.transcript"


def transcript_key(tenant: str, job: str, epoch: int) -> str:
    """The blob of a transcript as one owner of the job wrote it."""
    return f"{transcripts_key(tenant, job)}.{epoch}"
