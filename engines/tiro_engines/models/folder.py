"""The folder of model weights."""

import os
from pathlib import Path


def default_models_dir() -> Path:
    """The default folder of model weights: in the user's cache, by the XDG base directory specification."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tiro" / "models"
