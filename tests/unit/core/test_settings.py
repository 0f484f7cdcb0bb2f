"""Sources and validation of settings."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from tiro_core.settings import CoreSettings, ServerSettings
from tiro_core.settings_file import CONFIG_VARIABLE, SERVICE_KEYS, SettingsFileError
from tiro_ingest.settings import IngestSettings
from tiro_streamer.settings import StreamerSettings
from tiro_transcriber.settings import TranscriberSettings


def test_the_environment_overrides_the_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file sets the settings that the environment does not set."""
    file = tmp_path / "tiro.toml"
    file.write_text('nats_url = "nats://file:1"\ngrace_seconds = 7\n')
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    monkeypatch.setenv("TIRO_NATS_URL", "nats://environment:1")
    settings = CoreSettings()
    assert settings.nats_url == "nats://environment:1"
    assert settings.grace_seconds == 7


def test_a_setting_out_of_range_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """A grace time of 0 is refused."""
    monkeypatch.setenv("TIRO_GRACE_SECONDS", "0")
    with pytest.raises(ValidationError, match="grace_seconds"):
        CoreSettings()


def test_blobs_in_s3_need_a_bucket(monkeypatch: pytest.MonkeyPatch) -> None:
    """The blob store `s3` without a bucket is refused."""
    monkeypatch.setenv("TIRO_BLOB_STORE", "s3")
    with pytest.raises(ValidationError, match="s3_bucket"):
        CoreSettings()


def test_jobs_may_not_fetch_from_the_bucket_of_recordings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings that allow it are refused: a job could read other tenants' recordings."""
    monkeypatch.setenv("TIRO_S3_BUCKET", "recordings")
    monkeypatch.setenv("TIRO_FETCH_S3_BUCKETS", "calls, recordings")
    with pytest.raises(ValidationError, match="recordings"):
        CoreSettings()


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"nats_url =", "not a TOML"), (b"\xff = 1", "not a TOML")]
)
def test_a_file_that_cannot_be_read_is_refused(
    content: bytes | None, reason: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that is missing or not TOML is an error: defaults are not used instead."""
    file = tmp_path / "tiro.toml"
    if content is not None:
        file.write_bytes(content)
    monkeypatch.setenv(CONFIG_VARIABLE, str(file))
    with pytest.raises(SettingsFileError, match=reason):
        CoreSettings()


def test_a_validation_error_has_no_values() -> None:
    """The error of two settings that conflict shows no value of any setting."""
    with pytest.raises(ValidationError) as caught:
        CoreSettings.model_validate({"blob_store": "s3", "nats_url": "nats://tiro:password@host"})
    assert "password" not in str(caught.value)


def test_a_settings_file_may_have_the_settings_of_all_services() -> None:
    """The names that every service accepts are those of the services' settings."""
    classes = (ServerSettings, IngestSettings, StreamerSettings, TranscriberSettings)
    assert {name for one in classes for name in one.model_fields} - set(CoreSettings.model_fields) == SERVICE_KEYS
