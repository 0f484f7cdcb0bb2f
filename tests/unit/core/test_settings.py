"""Where settings come from."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tiro_core.settings import CONFIG_VARIABLE, CoreSettings, SettingsFileError


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


def test_blobs_in_s3_need_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The choice says where, or the service does not start."""
    monkeypatch.setenv("TIRO_BLOB_STORE", "s3")
    with pytest.raises(ValidationError, match="s3_bucket"):
        CoreSettings()


def test_the_bucket_of_recordings_is_not_opened_to_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    """A job would read other tenants' recordings in it."""
    monkeypatch.setenv("TIRO_S3_BUCKET", "recordings")
    monkeypatch.setenv("TIRO_FETCH_S3_BUCKETS", "calls, recordings")
    with pytest.raises(ValidationError, match="recordings"):
        CoreSettings()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"nats_url =", "no TOML"), (b"\xff = 1", "no TOML")]
)
def test_a_file_that_cannot_be_read_is_refused(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A secret's volume that is not mounted is no reason to run with the defaults."""
    file = tmp_path / "tiro.toml"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    with pytest.raises(SettingsFileError, match=reason):
        CoreSettings()


def test_an_error_quotes_no_setting() -> None:
    """The error of two settings that do not fit shows neither them nor the others."""
    with pytest.raises(ValidationError) as caught:
        CoreSettings.model_validate({"blob_store": "s3", "nats_url": "nats://tiro:password@host"})
    assert "password" not in str(caught.value)
