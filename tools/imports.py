"""Check imports: the contracts under `[tool.importlinter]` in pyproject.toml, for every member.

import-linter ignores a package that is not in its list, so the list is checked first.
"""

import subprocess
import sys
import tomllib
from pathlib import Path

from tools.members import ROOT, members, packages

LINT_IMPORTS = Path(sys.executable).with_name("lint-imports")


def main() -> None:
    """Run the contracts. The exit code is 1 if one is broken, or if a member is not in the list."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    missing = {package for member in members() for package in packages(member)} - set(settings["root_packages"])
    if missing:
        sys.exit(f"not in root_packages of [tool.importlinter] in pyproject.toml: {', '.join(sorted(missing))}")
    sys.exit(subprocess.run([str(LINT_IMPORTS), "--no-cache", "--no-logo"], cwd=ROOT, check=False).returncode)


if __name__ == "__main__":
    main()
