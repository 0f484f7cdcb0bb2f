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
def test_a_key_says_whose_it_is(key: str, name: BlobName) -> None:
    """What is written as a key is read as the same owner, and deleted under a key that it begins with."""
    assert blob_name(key) == name
    assert f"{key}.".startswith(f"{name.key}.")


def test_all_blobs_of_parts_are_below_one_key() -> None:
    """The job's own audio and transcript are not."""
    below = f"{parts_key('acme', JOB)}."
    assert upload_key("acme", f"{JOB}.00001").startswith(below)
    assert transcripts_key("acme", f"{JOB}.00001").startswith(below)
    assert not upload_key("acme", JOB).startswith(below)
    assert not transcripts_key("acme", JOB).startswith(below)


@pytest.mark.parametrize(
    "key",
    ["", "acme", f"acme.{JOB}", f"acme.{JOB}.transcript", f"Acme.{JOB}.audio", "acme.report.audio", f"a.b.{JOB}.audio"],
)
def test_other_names_are_nobodys(key: str) -> None:
    """A sweeper leaves them alone."""
    assert blob_name(key) is None
