"""Build the wheels of a member and of the members that it needs: `make wheels` runs this.

Nothing of Tiro is on a package index. `pip install dist/tiro-client/*.whl` installs the client, anywhere.
"""

import argparse
import shutil
import subprocess
import sys
from pathlib import Path

from tools.members import ROOT, members, members_needed

DIST = ROOT / "dist"


def main() -> None:
    """Build into a folder of `dist` that has the member's name, and print the wheels."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("member", choices=list(members()))
    member = parser.parse_args().member
    target = DIST / member
    for wheel in build(member, target):
        print(wheel.relative_to(ROOT))
    print(f"install them with: pip install {target.relative_to(ROOT)}/*.whl")


def build(member: str, target: Path) -> list[Path]:
    """Build the wheels of a member and of those that it needs.

    Args:
        member: The member's name, such as `tiro-client`.
        target: The folder of the wheels. What it has is removed.
    """
    shutil.rmtree(target, ignore_errors=True)
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(target.absolute())]
    for name in members_needed(member):
        result = subprocess.run(command, cwd=ROOT / members()[name], check=False, capture_output=True, text=True)
        if result.returncode:
            sys.exit(f"{result.stdout}{result.stderr}failed: the wheel of {name}")
    return sorted(target.glob("*.whl"))


if __name__ == "__main__":
    main()
