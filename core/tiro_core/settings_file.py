"""The settings file, which `TIRO_CONFIG` names. Several services may read the same one."""

import os
import tomllib
from collections.abc import Collection
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from tiro_core.startup import CannotStart

CONFIG_VARIABLE = "TIRO_CONFIG"
"""The variable that names the settings file. Keys in it are names of variables without the prefix, in lower case."""

SERVICE_KEYS = frozenset(
    (
        # every server
        *("auth", "calls_max", "catalogue", "default_engine", "default_model", "message_bytes_max", "routing"),
        *("tenant_share", "tls_certificate", "tls_key"),
        # ingest
        *("audio_seconds_max", "audio_ttl_seconds", "callback_seconds_max", "callback_secrets", "callbacks_max"),
        *("fetch_attempts_max", "fetch_seconds_max", "fetch_stall_seconds", "fetches_max", "ingest_address"),
        *("ingest_metrics_address", "jobs_waiting_max", "maintenance_interval_seconds", "outgoing_networks"),
        *("outgoing_ports", "probe_seconds_max", "probes_max", "reconcile_seconds", "spool_bytes_max", "spool_dir"),
        *("storage_reserve_bytes", "transcription_ttl_seconds", "ttl_seconds_max", "upload_bytes_max"),
        *("upload_idle_seconds", "upload_ttl_seconds", "watch_check_seconds", "watch_send_seconds_max"),
        # streamer
        *("audio_buffer_bytes_max", "claim_seconds_full", "claim_seconds_max", "decoder_start_seconds_max"),
        *("decoders_max", "detached_max", "finish_seconds_max", "idle_seconds_max", "lead_seconds_max"),
        *("session_age_seconds_max", "session_seconds_max", "streamer_address", "streamer_metrics_address"),
        *("takeover_seconds_max", "watchers_max", "write_seconds_max"),
        # transcriber
        *("attempts_max", "compute_type", "decode_seconds_max", "device", "engine", "job_slots", "model"),
        *(
            "model_idle_seconds",
            "models",
            "models_dir",
            "models_memory_bytes",
            "part_seconds",
            "session_slots",
            "session_threads",
            "split_seconds_min",
        ),
        *("streamer_silence_seconds_max", "threads", "transcriber_health_address", "transcriber_metrics_address"),
        *("window_seconds",),
    )
)
"""The settings that only some services have. A service that reads a shared file accepts those of the others; no
service imports another, so the names are here. A test compares them with the settings' classes."""


class SettingsFileError(CannotStart, ValueError):
    """The settings file cannot be used. The message names the file and the reason."""


def read_settings_file(core_keys: Collection[str]) -> dict[str, Any] | None:
    """The settings of the file that `TIRO_CONFIG` names. None if it names none.

    Args:
        core_keys: The settings that every service has.

    Raises:
        SettingsFileError: The file cannot be read, is not TOML, or has a key that is not a setting of any service.
    """
    name = os.environ.get(CONFIG_VARIABLE)
    if not name:
        return None
    file = Path(name).expanduser()
    try:
        values = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise SettingsFileError(f"cannot read {file} ({CONFIG_VARIABLE}): {error.strerror}") from error
    except ValueError as error:  # no TOML, or no UTF-8
        raise SettingsFileError(f"{file} ({CONFIG_VARIABLE}) is not a TOML file: {error}") from error
    known = SERVICE_KEYS.union(core_keys)
    unknown = [_described(key, known) for key in values if key not in known]
    if unknown:
        raise SettingsFileError(f"{file} ({CONFIG_VARIABLE}) has unknown settings: {', '.join(unknown)}")
    return values


def _described(key: str, known: Collection[str]) -> str:
    """An unknown key, and the setting that is probably meant."""
    close = get_close_matches(key.lower().removeprefix("tiro_"), known, n=1)
    return f"{key!r} (did you mean {close[0]!r}?)" if close else repr(key)
