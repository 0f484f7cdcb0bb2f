"""The members of the workspace, read from `[tool.uv.workspace]` in pyproject.toml.

`python tools/members.py` prints their folders, for the Makefile.
"""

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent


def folders() -> list[str]:
    """The members' folders, in the order of their dependencies."""
    return list(_read(ROOT)["tool"]["uv"]["workspace"]["members"])


def members() -> Mapping[str, str]:
    """The folder of each member by its name, in the order of their dependencies."""
    return {str(_read(ROOT / folder)["project"]["name"]): folder for folder in folders()}


def members_needed(member: str) -> list[str]:
    """The names of a member and of those that it depends on, directly or not, in the order of their dependencies."""
    known = members()
    needed, pending = {member}, [member]
    while pending:
        for name in known:
            if name not in needed and name in dependencies(pending[-1]):
                needed.add(name)
                pending.insert(0, name)
        pending.pop()
    return [name for name in known if name in needed]


def packages(member: str) -> list[str]:
    """The Python packages of a member with hand-written code."""
    return sorted(typed.parent.name for typed in (ROOT / members()[member]).glob("*/py.typed"))


def dependencies(member: str) -> list[str]:
    """What a member declares that it needs: other members, and packages with their versions."""
    return list(_read(ROOT / members()[member])["project"].get("dependencies", []))


def _read(folder: Path) -> Any:
    return tomllib.loads((folder / "pyproject.toml").read_text())


if __name__ == "__main__":
    print(*folders())
