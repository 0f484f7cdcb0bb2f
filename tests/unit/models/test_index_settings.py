"""The package index of a machine, from the settings of pip and uv."""

from pathlib import Path

import pytest

from tiro_engines.models import index_settings
from tiro_engines.models.index_settings import IndexSettings, read_index_settings
from tiro_engines.models.source import SourceFailed

SITE, OTHER = "https://packages.example/simple", "https://other.example/simple"


@pytest.fixture
def home(unconfigured: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A home folder in which pip's files are read."""
    monkeypatch.delenv("PIP_CONFIG_FILE")
    monkeypatch.setenv("XDG_CONFIG_DIRS", str(tmp_path / "xdg"))
    monkeypatch.setattr(index_settings, "SITE_FILE", tmp_path / "pip.conf")
    monkeypatch.setattr("sys.prefix", str(tmp_path / "environment"))
    return tmp_path / "home"


def write(path: Path, text: str) -> Path:
    """Write a configuration file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_the_default(unconfigured: None) -> None:
    """Without settings the index is the public one with the default certificates."""
    assert read_index_settings() == IndexSettings(url="", certificates="")


@pytest.mark.parametrize("value", [SITE, f"site={SITE}"])
@pytest.mark.parametrize("variable", ["UV_DEFAULT_INDEX", "UV_INDEX_URL"])
def test_the_setting_of_uv(unconfigured: None, monkeypatch: pytest.MonkeyPatch, variable: str, value: str) -> None:
    """Uv's variable has the URL, or a name and the URL."""
    monkeypatch.setenv(variable, value)
    assert read_index_settings().url == SITE


def test_the_setting_of_pip_overrides_that_of_uv(unconfigured: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Pip's variables for URL and certificates override uv's."""
    monkeypatch.setenv("UV_DEFAULT_INDEX", OTHER)
    monkeypatch.setenv("PIP_INDEX_URL", SITE)
    monkeypatch.setenv("PIP_CERT", "/etc/site.pem")
    assert read_index_settings() == IndexSettings(SITE, "/etc/site.pem")


@pytest.mark.parametrize("section", ["global", "download"])
def test_the_file_of_pip(home: Path, section: str) -> None:
    """The user's file is read, in the sections `global` and `download`."""
    write(home / ".config" / "pip" / "pip.conf", f"[{section}]\nindex-url = {SITE}\ntimeout = 5%\n")
    assert read_index_settings().url == SITE


def test_the_most_specific_setting_counts(home: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Section `download` overrides `global`, and the user's file the site's. PIP_CONFIG_FILE is read last."""
    write(tmp_path / "xdg" / "pip" / "pip.conf", "[global]\nindex-url = https://third.example/simple\n")
    user = write(home / ".pip" / "pip.conf", f"[global]\nindex-url = {OTHER}\n[download]\nindex-url = {SITE}\n")
    monkeypatch.setenv("PIP_CONFIG_FILE", str(write(tmp_path / "own.conf", "[global]\nindex-url = https://no\n")))
    assert read_index_settings().url == SITE
    user.unlink()
    assert read_index_settings().url == "https://third.example/simple"


@pytest.mark.parametrize("variable", ["PIP_NO_INDEX", "UV_NO_INDEX"])
def test_no_index(unconfigured: None, monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    """A setting that forbids indexes fails the source, whatever else is set."""
    monkeypatch.setenv("PIP_INDEX_URL", SITE)
    monkeypatch.setenv(variable, "1")
    with pytest.raises(SourceFailed, match="no-index"):
        read_index_settings()


def test_an_invalid_file_is_skipped(home: Path, tmp_path: Path) -> None:
    """An invalid file is skipped, and the next one is read."""
    write(home / ".config" / "pip" / "pip.conf", "index-url without a section")
    write(tmp_path / "xdg" / "pip" / "pip.conf", f"[global]\nindex-url = {SITE}\n")
    assert read_index_settings().url == SITE
