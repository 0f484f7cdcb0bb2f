"""Where model weights are kept."""

import os
from pathlib import Path


def default_models_dir() -> Path:
    """Where weights are kept by default: in the user's cache folder, by the XDG base directories."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tiro" / "models"
