"""Workers killed in mid-sentence under live sessions.

First with word markers, which the fake engine reads: every word that was lost or repeated is counted. Then with real
speech, which faster-whisper decodes: the finals around a kill are compared with those of the same audio without a kill.
The pause is measured at the client: from the kill to `worker_changed`, and to the next words.
"""

import argparse
import asyncio
import subprocess
import sys
import tempfile
from collections.abc import Callable, Coroutine, Mapping
from pathlib import Path

from benchmarks.kills import markers, real_speech
from benchmarks.kills.deployment import Deployment, running_deployment
from deploy.local.stack import BIN, MODELS, ROOT


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add options of this benchmark."""
    parser.add_argument("recording", nargs="?", type=Path, default=ROOT / "samples" / "panel.ogg")
    parser.add_argument("--kills", type=int, default=50, help="kills with markers, and as many with real speech")
    parser.add_argument("--seed", type=int, default=1, help="seed of the times and workers of the kills")
    parser.add_argument("--workers", type=int, default=2, help="transcribers, 2 or more")
    parser.add_argument("--marker-sessions", type=int, default=8, help="sessions at a time with markers")
    parser.add_argument("--speech-sessions", type=int, default=3, help="sessions at a time with real speech")
    parser.add_argument("--model", default="tiny.en")
    parser.add_argument("--only", choices=["markers", "speech"], help="one of the two parts")


def run(arguments: argparse.Namespace) -> str:
    """Measure, and return the tables."""
    parts = []
    if arguments.only != "speech":
        print("markers", file=sys.stderr)
        parts.append(_run({"TIRO_ENGINE": "fake", "TIRO_DEFAULT_ENGINE": "fake"}, markers.measure, arguments))
    if arguments.only != "markers":
        print("real speech", file=sys.stderr)
        subprocess.run([BIN / "tiro", "models", "pull", arguments.model, "--models-dir", str(MODELS)], check=True)
        settings = {"TIRO_MODEL": arguments.model, "TIRO_DEFAULT_MODEL": arguments.model}
        parts.append(_run(settings, real_speech.measure, arguments))
    return "\n\n".join(parts)


def _run(
    settings: Mapping[str, str],
    measure: Callable[[Deployment, argparse.Namespace], Coroutine[None, None, str]],
    asked: argparse.Namespace,
) -> str:
    """Measure in a deployment of its own, and return the tables."""
    all_settings = {"TIRO_MODELS_DIR": str(MODELS), "TIRO_JOB_SLOTS": "0", **settings}
    with (
        tempfile.TemporaryDirectory() as folder,
        running_deployment(Path(folder), all_settings, workers=asked.workers) as deployment,
    ):
        return asyncio.run(measure(deployment, asked))
