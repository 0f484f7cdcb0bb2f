"""The recordings that `tiro transcribe` is given: files, and URIs that the service fetches."""

import os
import re
from collections import Counter
from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from urllib.parse import unquote, urlsplit

import typer

from tiro_client.cli.standard_input import STANDARD_INPUT, standard_input
from tiro_client.jobs.submission import is_uri

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")

Recording = Path | str
"""A file, or a URI."""


class OutputClash(ValueError):  # noqa: N818 - the name says that it is an error
    """Two recordings would be written to the same file."""


def recording_of(text: str) -> Recording:
    """The recording that an argument of the command line names: a file, a URI, or `-` for standard input.

    Raises:
        typer.BadParameter: It is a URI that is not fetched, or standard input is a terminal.
    """
    if text == STANDARD_INPUT:
        return standard_input()
    if not text:
        raise typer.BadParameter("the name of a recording is empty", param_hint="FILES")
    if _SCHEME.match(text) and not is_uri(text):
        raise typer.BadParameter(f"{text}: only http, https and s3 addresses are fetched", param_hint="FILES")
    return text if is_uri(text) else Path(text)


def displayed(recording: Recording) -> str:
    """A recording for people: paths may hold any bytes, and URIs are shown without credentials."""
    if isinstance(recording, Path):
        return os.fsencode(recording).decode("utf-8", "replace")
    parts = urlsplit(recording)
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def output_names(recordings: Sequence[Recording]) -> dict[Recording, str]:
    """The name of each recording's transcripts, without the format's suffix: `talk.flac` gives `talk`.

    Recordings that differ only in their suffixes keep them: `talk.flac` and `talk.wav` stay `talk.flac`, `talk.wav`.

    Raises:
        OutputClash: Two recordings in different folders have the same name.
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
