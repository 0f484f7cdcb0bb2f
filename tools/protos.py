"""Generate the Python code of the contract, and check the contract: `make protos` and `make check` run this."""

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools.members import ROOT
from tools.proto_imports import VALIDATE, write_descriptors

PUBLIC = ROOT / "protos"
INTERNAL = PUBLIC / "internal"
"""What the services send each other, which is no part of the contract."""
GEN = PUBLIC / "gen"
CONFIG = PUBLIC / "buf.yaml"
BIN = Path(sys.executable).parent
PROTOC = (sys.executable, "-m", "grpc_tools.protoc")
PROTOC_OF_MESSAGES = (str(BIN / "protoc"),)
"""protoc 25, the last one whose Python code runs with any later protobuf: from 26 on it demands its own version or a
later one, and callers of Tiro have protobuf 5, 6 or 7 in their programs."""


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("command", choices=["generate", "up-to-date", "lint", "breaking"])
    command = parser.parse_args().command
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["PATH"] = f"{BIN}{os.pathsep}{os.environ['PATH']}"
        {"generate": _generate, "up-to-date": _up_to_date, "lint": _lint, "breaking": _breaking}[command](Path(scratch))


def sources(roots: Sequence[Path]) -> list[str]:
    """The protos below some folders, by their names in an import."""
    return sorted(str(path.relative_to(root)) for root in roots for path in (root / "tiro").rglob("*.proto"))


def image(roots: Sequence[Path], scratch: Path) -> Path:
    """A descriptor set of the protos below some folders, with comments and with all that they import."""
    target = scratch / "image.binpb"
    options = [f"--descriptor_set_out={target}", "--include_source_info", "--include_imports"]
    _protoc([*options, *sources(roots)], roots, scratch)
    return target


def _generate(scratch: Path) -> None:
    _generate_into(GEN, scratch)
    print(f"generated {sum(1 for _ in GEN.rglob('*.py'))} modules in {GEN.relative_to(ROOT)}")


def _up_to_date(scratch: Path) -> None:
    fresh = scratch / "gen"
    _generate_into(fresh, scratch)
    difference = subprocess.run(["diff", "-r", "-x", "__pycache__", str(GEN), str(fresh)], check=False)
    if difference.returncode:
        sys.exit("the generated code does not match the protos: run `make protos` and commit")


def _lint(scratch: Path) -> None:
    _run(["buf", "format", "--diff", "--exit-code", str(PUBLIC)])
    _run(["buf", "lint", str(image([PUBLIC, INTERNAL], scratch)), "--config", str(CONFIG)])


def _breaking(scratch: Path) -> None:
    describe = ["git", "describe", "--tags", "--abbrev=0", "--match", "v*"]
    tag = subprocess.run(describe, cwd=ROOT, capture_output=True, text=True, check=False).stdout.strip()
    if not tag:
        print("buf breaking: no release tag yet, so there is nothing to compare with")
        return
    archive = subprocess.run(["git", "archive", tag, "protos"], cwd=ROOT, capture_output=True, check=True)
    released = scratch / "released"
    released.mkdir()
    subprocess.run(["tar", "-x", "-C", str(released)], input=archive.stdout, check=True)
    (scratch / "old").mkdir()
    against = image([released / "protos"], scratch / "old")
    _run(["buf", "breaking", str(image([PUBLIC], scratch)), "--against", str(against), "--config", str(CONFIG)])


def _generate_into(target: Path, scratch: Path) -> None:
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    roots = [PUBLIC, INTERNAL]
    messages = [f"--python_out={target}", f"--mypy_out={target}"]
    _protoc([*messages, *sources(roots), VALIDATE], roots, scratch, protoc=PROTOC_OF_MESSAGES)
    services = [f"--grpc_python_out={target}", f"--mypy_grpc_out={target}"]
    _protoc([*services, *sources(roots)], roots, scratch)
    for module in target.rglob("*_pb2_grpc.py"):
        if "Servicer" not in module.read_text():
            module.unlink()
            module.with_suffix(".pyi").unlink(missing_ok=True)
    for package in {module.parent for module in target.rglob("*_pb2.py")}:
        (package / "py.typed").touch()


def _protoc(arguments: Sequence[str], roots: Sequence[Path], scratch: Path, *, protoc: Sequence[str] = PROTOC) -> None:
    imports = write_descriptors(scratch / "imports.binpb")
    _run([*protoc, *(f"--proto_path={root}" for root in roots), f"--descriptor_set_in={imports}", *arguments])


def _run(command: Sequence[str]) -> None:
    result = subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)
    if result.returncode:
        sys.exit(f"{result.stdout}{result.stderr}failed: {' '.join(command[:3])}")


if __name__ == "__main__":
    main()
