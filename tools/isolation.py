"""Import every module of every member in an environment with nothing but the member's declared dependencies.

A service that needs another member without declaring it would fail in its own image.
"""

import subprocess
import sys
import tempfile
from pathlib import Path

from tools.members import ROOT, members, members_needed, packages

IMPORT_ALL = """
import importlib, pkgutil, sys
for name in sys.argv[1:]:
    package = importlib.import_module(name)
    for module in pkgutil.walk_packages(package.__path__, name + "."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
"""
GENERATED = ["tiro"]
"""The package of the protos' member, which has generated code only."""
ENGINE_LIBRARIES = ("amazon_transcribe", "awscrt", "ctranslate2", "faster_whisper", "onnxruntime")


def main() -> None:
    """Check each member."""
    uv = str(Path(sys.argv[1]).absolute())
    with tempfile.TemporaryDirectory() as scratch:
        for member in members():
            _check(uv, member, Path(scratch) / member)


def _check(uv: str, member: str, environment: Path) -> None:
    python = str(environment / "bin" / "python")
    pins = str(ROOT / "requirements" / f"{member}.txt")
    _run(uv, "venv", "--quiet", "--python", sys.executable, str(environment))
    _run(uv, "pip", "install", "--quiet", "--python", python, "--require-hashes", "-r", pins)
    _run(
        uv,
        "pip",
        "install",
        "--quiet",
        "--python",
        python,
        "--no-deps",
        *(str(ROOT / members()[one]) for one in members_needed(member)),
    )
    _run(python, "-c", IMPORT_ALL, *(packages(member) or GENERATED))
    if member in ("tiro-ingest", "tiro-streamer"):
        present = subprocess.run([uv, "pip", "freeze", "--python", python], capture_output=True, text=True, check=True)
        if any(library.replace("_", "-") in present.stdout for library in ENGINE_LIBRARIES):
            sys.exit(f"{member} would install an engine")
    print(f"{member}: imports by itself")


def _run(*command: str) -> None:
    if subprocess.run(command, cwd=ROOT, check=False).returncode:
        sys.exit(f"failed: {' '.join(command[:4])} ...")


if __name__ == "__main__":
    main()
