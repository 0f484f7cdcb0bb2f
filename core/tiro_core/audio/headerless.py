"""Recordings without a header, which only the name of their file describes: bare samples of telephone systems."""

from pathlib import PurePath
from typing import NamedTuple


class Headerless(NamedTuple):
    """A format without a header.

    Attributes:
        title: what people call it.
        name: FFmpeg's name of the demuxer.
        endings: how names of files end, lower-case.
        options: of the demuxer.
    """

    title: str
    name: str
    endings: tuple[str, ...]
    options: dict[str, str]


TELEPHONE = {"sample_rate": "8000", "ch_layout": "mono"}

HEADERLESS = (
    Headerless("G.711 A-law, 8 kHz, one channel", "alaw", (".al", ".alaw"), TELEPHONE),
    Headerless("G.711 mu-law, 8 kHz, one channel", "mulaw", (".ul", ".ulaw", ".mulaw"), TELEPHONE),
    Headerless("G.722, 16 kHz", "g722", (".g722", ".722"), {}),
    Headerless("G.723.1", "g723_1", (".g723", ".g723_1"), {}),
    Headerless("G.729", "g729", (".g729",), {}),
    Headerless("16-bit PCM of Asterisk, 8 kHz, one channel", "sln", (".sln",), TELEPHONE),
)

HEADERLESS_BY_NAME = {each.name: each for each in HEADERLESS}
_BY_ENDING = {ending: each.name for each in HEADERLESS for ending in each.endings}


def headerless_format(file_name: str) -> str:
    """Return FFmpeg's name of the format that the ending of a file's name stands for; empty where it stands for none.

    It counts only where the bytes are in no format that has a header.
    """
    return _BY_ENDING.get(PurePath(file_name).suffix.lower(), "")
