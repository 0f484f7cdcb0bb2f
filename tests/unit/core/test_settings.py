"""Where settings come from."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tiro_core.settings import CONFIG_VARIABLE, CoreSettings


def test_the_environment_goes_before_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file sets what the environment does not."""
    file = tmp_path / "tiro.toml"
    file.write_text('nats_url = "nats://file:1"\ngrace_seconds = 7\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    monkeypatch.setenv("TIRO_NATS_URL", "nats://environment:1")
    settings = CoreSettings()
    assert settings.nats_url == "nats://environment:1"
    assert settings.grace_seconds == 7


def test_a_setting_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grace of nothing is no grace."""
    monkeypatch.setenv("TIRO_GRACE_SECONDS", "0")
    with pytest.raises(ValidationError, match="grace_seconds"):
        CoreSettings()
