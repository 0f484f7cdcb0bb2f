"""The output of transcripts: to files, each written atomically, or to stdout in the order of the command line."""

import asyncio
import hashlib
import os
import secrets
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console

from tiro_client.cli.transcribe.recordings import Recording, displayed
from tiro_formats.registry import WRITERS
from tiro_formats.writer import TextFormat

WAITING_CHARACTERS_MAX = 64 * 1024 * 1024
"""Text that waits in memory to be printed after a file that takes longer. Beyond it no further file is begun."""

FILE_NAME_BYTES_MAX = 255
"""The longest file name of Linux's file systems."""
DIGEST_CHARACTERS = 8
"""Of the digest that keeps names apart that are cut."""

Texts = Mapping[TextFormat, str]
"""A transcript in each requested format."""


def write_atomically(path: Path, text: str) -> None:
    """Write a file that appears complete or not at all. No temporary file is left.

    Raises:
        OSError: The file cannot be written.
    """
    draft = path.with_name(f".tiro-{secrets.token_hex(8)}.part")  # short: the file's own name may be as long as allowed
    try:
        with draft.open("x", encoding="utf-8", newline="\n") as file:
            file.write(text)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)


def _fitting(name: str, suffix: str) -> str:
    """A file name, cut where it would be longer than file systems allow. What is cut off is replaced by its digest."""
    encoded = os.fsencode(name)
    if len(encoded) + len(suffix) <= FILE_NAME_BYTES_MAX:
        return name + suffix
    digest = hashlib.sha256(encoded).hexdigest()[:DIGEST_CHARACTERS]
    kept = encoded[: FILE_NAME_BYTES_MAX - len(suffix) - DIGEST_CHARACTERS - 1].decode("utf-8", "ignore")
    return f"{kept}-{digest}{suffix}"


class FolderOutput:
    """Writes each transcript to files in a folder, which is created for the first one."""

    def __init__(self, folder: Path, formats: Sequence[TextFormat], names: Mapping[Recording, str]) -> None:
        self._folder = folder
        self.formats = formats
        self._names = names

    async def wait_for_capacity(self) -> None:
        """Nothing waits: transcripts are written at once."""

    def add(self, recording: Recording, texts: Texts | None) -> None:
        """Write one recording's transcript. None if it failed.

        Raises:
            OSError: A file cannot be written.
        """
        if texts is None:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        for name in self.formats:
            file_name = _fitting(self._names[recording], WRITERS[name].file_suffix)
            write_atomically(self._folder / file_name, texts[name])


class FileOutput:
    """Writes the transcript of one recording to a file."""

    def __init__(self, path: Path, text_format: TextFormat) -> None:
        self._path = path
        self.formats: Sequence[TextFormat] = (text_format,)

    async def wait_for_capacity(self) -> None:
        """Nothing waits: transcripts are written at once."""

    def add(self, recording: Recording, texts: Texts | None) -> None:  # noqa: ARG002 - there is one
        """Write the transcript. None if the recording failed.

        Raises:
            OSError: The file cannot be written.
        """
        if texts is not None:
            write_atomically(self._path, texts[self.formats[0]])


class StdoutOutput:
    """Prints transcripts in the order of the command line, each as soon as those before it are printed.

    Args:
        console: Where to print.
        text_format: The format of the transcripts.
        recordings: The recordings in their order.
        headings: Whether each transcript has a line with the name of its recording. Default: if there are several.
    """

    def __init__(
        self,
        console: Console,
        text_format: TextFormat,
        recordings: Sequence[Recording],
        *,
        headings: bool | None = None,
    ) -> None:
        self._console = console
        self.formats = (text_format,)
        self._waiting = deque(recordings)
        self._has_headings = len(recordings) > 1 if headings is None else headings
        self._done: dict[Recording, str | None] = {}
        self._waiting_characters = 0
        self._printed = asyncio.Event()

    @property
    def has_capacity(self) -> bool:
        """Whether less text than `WAITING_CHARACTERS_MAX` waits to be printed."""
        return self._waiting_characters < WAITING_CHARACTERS_MAX

    @property
    def grows(self) -> bool:
        """Whether a person sees the text of a single recording, and so may see it while it is made."""
        return self._console.is_terminal and self.formats == ("txt",) and len(self._waiting) == 1

    async def wait_for_capacity(self) -> None:
        """Wait while too much text waits to be printed."""
        while not self.has_capacity:
            self._printed.clear()
            await self._printed.wait()

    def add(self, recording: Recording, texts: Texts | None) -> None:
        """Take one recording's transcript. None if it failed."""
        text = None if texts is None else texts[self.formats[0]]
        self._done[recording] = text
        self._waiting_characters += len(text or "")
        while self._waiting and self._waiting[0] in self._done:
            first = self._waiting.popleft()
            text = self._done.pop(first)
            if text is not None:
                self._waiting_characters -= len(text)
                self._print(first, text)
        self._printed.set()

    def _print(self, recording: Recording, text: str) -> None:
        if self._has_headings:
            self._console.print(f"==> {displayed(recording)} <==")
        self._console.out(text, end="", highlight=False)
        self._console.file.flush()


Output = FileOutput | FolderOutput | StdoutOutput
"""The output of transcripts."""
