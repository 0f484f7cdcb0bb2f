"""Pin every dependency with its hashes: `make lock` runs this.

uv's own lock file names the package index that it was made with, so it is not committed. Its export is: one
requirements file for each member, with exact versions and hashes, and no index. A site with its own index installs the
same bytes.
"""

import subprocess
import sys
import tempfile
import tomllib
from pathlib import Path

from tools.members import ROOT, dependencies, folders, members, members_needed

UV_VERSION = "0.13.8"
PYTHON_VERSION = "3.11"
"""The oldest Python version that the pins are for."""
WHISPERLIVE = ROOT / "benchmarks" / "peers" / "whisperlive.in"
WHISPERLIVE_PIN = "whisper-live==0.10.0"
EXAMPLE_ENGINE = ROOT / "examples" / "engines" / "pocketsphinx"
CLIENT = "tiro-client"
HEADER = "# Made by `make lock`. Do not edit.\n"


def main() -> None:
    """Resolve the workspace once, and export each member's pins, and all of them with the development tools."""
    uv = str(Path(sys.argv[1]).absolute())
    out = ROOT / "requirements"
    out.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        workspace = Path(scratch)
        _copy_projects(workspace)
        for member in members():
            _export(uv, workspace, ["--package", member, "--no-dev", "--all-extras"], out / f"{member}.txt")
        _export(uv, workspace, ["--all-packages", "--all-groups", "--all-extras"], out / "all.txt")
    # The oldest versions that the client declares: its tests install it with them.
    oldest = sorted({one for member in members_needed(CLIENT) for one in dependencies(member) if one not in members()})
    pins = _compile(uv, "\n".join(oldest), "--resolution", "lowest-direct")
    (out / f"{CLIENT}-oldest.txt").write_text(HEADER + pins)
    (out / "uv.txt").write_text(HEADER + _compile(uv, f"uv=={UV_VERSION}\n"))
    # A peer in the benchmarks, with its own environment and fewer dependencies than it declares.
    peer = _compile(uv, WHISPERLIVE.read_text()) + _compile(uv, f"{WHISPERLIVE_PIN}\n", "--no-deps")
    WHISPERLIVE.with_suffix(".txt").write_text(HEADER + peer)
    # An engine from outside: its dependencies besides the workspace, in versions that fit the workspace's pins.
    wanted = tomllib.loads((EXAMPLE_ENGINE / "pyproject.toml").read_text())["project"]["dependencies"]
    others = "\n".join(one for one in wanted if not one.startswith("tiro-"))
    pins = _compile(uv, others, "--constraints", str(out / "all.txt"))
    (EXAMPLE_ENGINE / "requirements.txt").write_text(HEADER + pins)


def _compile(uv: str, wanted: str, *options: str) -> str:
    """Pin a list of requirements with their dependencies."""
    command = [uv, "pip", "compile", "-q", "--generate-hashes", "--universal", "--python-version", PYTHON_VERSION]
    command += ["--no-annotate", "--no-header", *options, "-"]
    return subprocess.run(command, input=wanted, text=True, stdout=subprocess.PIPE, check=True).stdout


def _copy_projects(workspace: Path) -> None:
    root = (ROOT / "pyproject.toml").read_text().replace("\nmanaged = false\n", "\n")
    (workspace / "pyproject.toml").write_text(root)
    for folder in folders():
        (workspace / folder).mkdir(parents=True)
        (workspace / folder / "pyproject.toml").write_text((ROOT / folder / "pyproject.toml").read_text())


def _export(uv: str, workspace: Path, selection: list[str], target: Path) -> None:
    command = [uv, "export", "-q", "--no-emit-workspace", "--no-header", "--no-annotate", *selection]
    pins = subprocess.run(command, cwd=workspace, text=True, stdout=subprocess.PIPE, check=True).stdout
    target.write_text(HEADER + pins)
    print(f"{target.relative_to(ROOT)}: {pins.count('==')} pins")


if __name__ == "__main__":
    main()
