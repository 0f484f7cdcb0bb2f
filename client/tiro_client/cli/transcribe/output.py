"""Where transcripts go: files that appear whole or not at all, or stdout in the order of the command line."""

import secrets
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from tiro_client.cli.transcribe.recordings import Recording, displayed
from tiro_client.jobs.formats import TranscriptFormat

Texts = Mapping[TranscriptFormat, str]
"""A transcript in each format that was asked for."""


def write_atomically(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all, and leave nothing else behind.

    Raises:
        OSError: It cannot be written.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


class FolderOutput:
    """Writes each transcript to files in a folder, which is made when the first one comes."""

    def __init__(self, folder: Path, formats: Sequence[TranscriptFormat], names: Mapping[Recording, str]) -> None:
        self._folder = folder
        self.formats = formats
        self._names = names

    def add(self, file: Recording, texts: Texts | None) -> None:
        """Write one recording's transcript. None for one that failed.

        Raises:
            OSError: A file cannot be written.
        """
        if texts is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for format_ in self.formats:
            write_atomically(self._folder / f"{self._names[file]}.{format_.value}", texts[format_])


class StdoutOutput:
    """Prints transcripts in the order of the command line, each as soon as those before it are there."""

    def __init__(self, console: Console, format_: TranscriptFormat, files: Sequence[Recording]) -> None:
        self._console = console
        self.formats = (format_,)
        self._waiting = list(files)
        self._headed = len(files) > 1
        self._done: dict[Recording, str | None] = {}

    def add(self, file: Recording, texts: Texts | None) -> None:
        """Take one recording's transcript. None for one that failed."""
        self._done[file] = None if texts is None else texts[self.formats[0]]
        while self._waiting and self._waiting[0] in self._done:
            first = self._waiting.pop(0)
            text = self._done.pop(first)
            if text is not None:
                self._print(first, text)

    def _print(self, file: Recording, text: str) -> None:
        if self._headed:
            self._console.print(f"==> {displayed(file)} <==")
        self._console.out(text, end="", highlight=False)
        self._console.file.flush()


Output = FolderOutput | StdoutOutput
"""Where transcripts go."""
