"""The package index of this machine, as its administrators have configured it for pip or uv.

The files are read without pip or uv, which need not be installed. Read are the index with its credentials, the
certificate authority, and `no-index`; not read are further indexes, folders of wheels and keyrings.
"""

import configparser
import os
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from tiro_engines.models.source import SourceFailed

SITE_FILE = Path("/etc/pip.conf")
_SECTIONS = ("download", "global")
"""Sections of pip's files, the more specific one first."""
_TRUE = frozenset({"1", "true", "yes", "on", "y", "t"})
"""Values that pip and uv take for true, in lower case."""


@dataclass(frozen=True, slots=True)
class IndexSettings:
    """The address of the index."""

    url: str = ""
    """The URL of its simple API. It may have a user and a password. Empty: Python's public index, as for pip and uv."""
    certificates: str = ""
    """A file of certificate authorities. Empty: the default ones."""


def read_index_settings() -> IndexSettings:
    """The index of pip's settings, else of uv's, else the public one.

    Raises:
        SourceFailed: pip's `no-index` or uv's `UV_NO_INDEX` is set.
    """
    if {_of_pip("no-index").lower(), os.environ.get("UV_NO_INDEX", "").lower()} & _TRUE:
        raise SourceFailed("the settings of pip or uv have no-index")
    return IndexSettings(_of_pip("index-url") or _of_uv(), _of_pip("cert"))


def _of_uv() -> str:
    value = os.environ.get("UV_DEFAULT_INDEX") or os.environ.get("UV_INDEX_URL") or ""
    return value if value.startswith("http") else value.partition("=")[2]  # the URL alone, or `name=url`


def _of_pip(option: str) -> str:
    """The value of an option by pip's rules: from the environment, or from the first file that has it."""
    if value := os.environ.get(f"PIP_{option.replace('-', '_').upper()}"):
        return value
    for path in _pip_files():
        parser = configparser.RawConfigParser()
        try:
            parser.read(path, encoding="utf-8")
        except (configparser.Error, UnicodeDecodeError):  # pip refuses such a file
            continue
        for section in _SECTIONS:
            if value := parser.get(section, option, fallback=""):
                return value
    return ""


def _pip_files() -> Iterator[Path]:
    """Pip's configuration files on Unix, the one with precedence first. They need not exist."""
    own = os.environ.get("PIP_CONFIG_FILE", "")
    if own == os.devnull:
        return
    yield Path(sys.prefix) / "pip.conf"
    yield Path(os.environ.get("XDG_CONFIG_HOME") or Path.home() / ".config") / "pip" / "pip.conf"
    yield Path.home() / ".pip" / "pip.conf"
    yield SITE_FILE
    for folder in filter(None, os.environ.get("XDG_CONFIG_DIRS", "/etc/xdg").split(":")):
        yield Path(folder) / "pip" / "pip.conf"
    if own:
        yield Path(own)
