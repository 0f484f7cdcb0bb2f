"""Write docs/formats.md from the tables of accepted formats: `make formats` runs this."""

import sys
from collections.abc import Sequence

from tiro_core.audio.child.formats import CODEC_FORMATS, CONTAINER_FORMATS, Format
from tiro_core.audio.headerless import HEADERLESS
from tools.members import ROOT

PAGE = ROOT / "docs" / "formats.md"
INTRODUCTION = """\
# Recordings that are accepted

Made by `make formats` from `core/tiro_core/audio/child/formats.py` and `core/tiro_core/audio/headerless.py`. Do not
edit.

A recording is recognized by its bytes, not by its name. It is in a container of the first table, with sound in a codec
of the second. Video is passed over. What is not in the tables is refused: `NOT_AUDIO` for a container,
`AUDIO_UNDECODABLE` with the name of the codec for a codec. Playlists and other files that name files are never
followed. [ADR 6](adr/0006-confined-decoding.md) says why there is a list.
"""
HEADERLESS_INTRODUCTION = """\
## Samples without a header

Bytes in no container are read as the ending of the name says (`display_name` of the upload).
"""


def page() -> str:
    """Return the text of the page."""
    endings = [f"| {each.title} | {', '.join(f'`{ending}`' for ending in each.endings)} |" for each in HEADERLESS]
    return "\n".join(
        [
            INTRODUCTION,
            _table("Containers", CONTAINER_FORMATS),
            _table("Codecs", CODEC_FORMATS),
            HEADERLESS_INTRODUCTION,
            "\n".join(["| format | endings |", "|---|---|", *endings, ""]),
        ]
    )


def _table(title: str, formats: Sequence[Format]) -> str:
    rows = [f"| {each.title} | {', '.join(f'`{name}`' for name in each.names)} |" for each in formats]
    return "\n".join([f"## {title}", "", "| format | FFmpeg's names |", "|---|---|", *rows, ""])


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    sys.stdout.write(f"written: {PAGE.relative_to(ROOT)}\n")
