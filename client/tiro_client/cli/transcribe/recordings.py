"""What `tiro transcribe` is given: files, and URIs that the service fetches."""

import os
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

from tiro_client.jobs.submission import is_uri

Recording = Path | str
"""A file, or a URI."""


class OutputClash(ValueError):  # noqa: N818 - a clash is what it is
    """Two recordings would be written to the same file."""


def recording_of(text: str) -> Recording:
    """What an argument of the command line names."""
    return text if is_uri(text) else Path(text)


def displayed(recording: Recording) -> str:
    """A recording for people: also a path whose bytes are no text, and a URI without what is secret in it."""
    if isinstance(recording, Path):
        return os.fsencode(recording).decode("utf-8", "replace")
    parts = urlsplit(recording)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def output_names(recordings: Sequence[Recording]) -> dict[Recording, str]:
    """What each recording's transcripts are called, without the format: `talk.flac` gives `talk`.

    Recordings that differ in their ending only keep it: `talk.flac` and `talk.wav` give `talk.flac` and `talk.wav`.

    Raises:
        OutputClash: Two recordings in different places have the same name.
    """
    files = {recording: _file_name(recording) for recording in dict.fromkeys(recordings)}
    stems = Counter(file.stem for file in files.values())
    names = {recording: file.stem if stems[file.stem] == 1 else file.name for recording, file in files.items()}
    for name, count in Counter(names.values()).items():
        if count > 1:
            raise OutputClash(f"{count} of the recordings would be written to {name}: give them different names")
    return names


def _file_name(recording: Recording) -> PurePosixPath:
    if isinstance(recording, Path):
        return PurePosixPath(recording.name)
    return PurePosixPath(PurePosixPath(unquote(urlsplit(recording).path)).name or "recording")
