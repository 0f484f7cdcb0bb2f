"""The keys of blobs."""

import pytest

from tiro_core.blobs.keys import (
    BlobKind,
    BlobName,
    blob_name,
    parts_key,
    transcript_key,
    transcripts_key,
    upload_key,
)

JOB = "01a22bf2-dd1d-7515-ab3a-332871619b5e"


@pytest.mark.parametrize(
    ("key", "name"),
    [
        (upload_key("acme", JOB), BlobName("acme", JOB, "", BlobKind.AUDIO)),
        (transcript_key("acme", JOB, 3), BlobName("acme", JOB, "", BlobKind.TRANSCRIPT)),
        (transcript_key("acme", f"shadow-{JOB}", 1), BlobName("acme", f"shadow-{JOB}", "", BlobKind.TRANSCRIPT)),
        (upload_key("acme", f"{JOB}.00012"), BlobName("acme", JOB, "00012", BlobKind.AUDIO)),
        (transcript_key("acme", f"{JOB}.00012", 2), BlobName("acme", JOB, "00012", BlobKind.TRANSCRIPT)),
    ],
)
def test_a_key_has_tenant_owner_part_and_kind(key: str, name: BlobName) -> None:
    """A key is parsed into its fields, and lies below the key under which its owner's blobs are deleted."""
    assert blob_name(key) == name
    assert f"{key}.".startswith(f"{name.key}.")


def test_all_blobs_of_parts_are_below_one_key() -> None:
    """Blobs of a job's parts are below one key. The job's own audio and transcript are not."""
    below = f"{parts_key('acme', JOB)}."
    assert upload_key("acme", f"{JOB}.00001").startswith(below)
    assert transcripts_key("acme", f"{JOB}.00001").startswith(below)
    assert not upload_key("acme", JOB).startswith(below)
    assert not transcripts_key("acme", JOB).startswith(below)


@pytest.mark.parametrize(
    "key",
    ["", "acme", f"acme.{JOB}", f"acme.{JOB}.transcript", f"Acme.{JOB}.audio", "acme.report.audio", f"a.b.{JOB}.audio"],
)
def test_other_keys_are_not_parsed(key: str) -> None:
    """A key of another form gives None, so that a sweeper does not delete its blob."""
    assert blob_name(key) is None
