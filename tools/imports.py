"""Check which module imports which: the contracts under `[tool.importlinter]` in pyproject.toml, over every member.

import-linter checks the packages that it is given, and says nothing of one that is missing there: this looks first.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from tools.members import ROOT, members, packages

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def main() -> None:
    """Run the contracts. Ends with a status of 1 when one is broken, or when a member has none."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    missing = {package for member in members() for package in packages(member)} - set(settings["root_packages"])
    if missing:
        sys.exit(f"not in root_packages of [tool.importlinter] in pyproject.toml: {', '.join(sorted(missing))}")
    sys.exit(subprocess.run([str(LINT_IMPORTS), "--no-cache", "--no-logo"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
