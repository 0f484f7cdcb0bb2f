"""Ids and names: UUIDv7 for new resources, and checks of names that come from outside."""

import re

import uuid_utils

_TENANT = re.compile(r"[a-z0-9-]{1,40}")
DEFAULT_TENANT = "default"
"""The one tenant of a deployment without authentication."""


def new_id() -> str:
    """A new UUIDv7: ids made later sort later."""
    return str(uuid_utils.uuid7())


def check_tenant(name: str) -> str:
    """Return `name` if it is a valid name of a tenant.

    Raises:
        ValueError: It is not valid. A dot, for example, would give access to another tenant's subjects.
    """
    if not _TENANT.fullmatch(name):
        raise ValueError(f"a tenant's name is 1 to 40 of a-z, 0-9 and '-', not {name!r}")
    return name
