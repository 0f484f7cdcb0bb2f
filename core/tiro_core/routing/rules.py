"""The routing rules of a deployment: its policies, and the tenants whose audio may be sent to cloud engines.

The rules are a TOML file that ingest and the streamer read, named by `TIRO_ROUTING`. Without one there is no policy,
and no tenant's audio is sent to a cloud.
"""

import tomllib
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, TypeAlias

from pydantic import ConfigDict, Field, TypeAdapter, ValidationError
from pydantic.dataclasses import dataclass

from tiro_core.startup import CannotStart
from tiro_engines.catalogue import Catalogue, UnknownModelError

OTHER_TENANTS = "*"
"""The name of the rule for every tenant without a rule of its own."""

_STRICT = ConfigDict(extra="forbid")
EngineName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""The name of an engine or a policy, as in `RecognitionConfig.engine`."""
ModelName: TypeAlias = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9.-]{0,59})?$")]
LanguageCode: TypeAlias = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class RoutingError(CannotStart):
    """The rules are not valid."""


@dataclass(frozen=True, config=_STRICT)
class Route:
    """An engine and its model: one entry of a policy."""

    engine: EngineName
    model: ModelName = ""
    """Empty: the engine's default."""
    languages: frozenset[LanguageCode] = frozenset()
    """The route serves only requests that name one of these. Empty: it serves all."""


@dataclass(frozen=True, config=_STRICT)
class Policy:
    """A named list of routes, the preferred one first."""

    name: EngineName
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    shadow: Route | None = None
    """The route of the shadow, which transcribes the policy's jobs and sessions as well, for comparison."""


@dataclass(frozen=True, config=_STRICT)
class TenantRule:
    """The cloud engines that a tenant has agreed to."""

    name: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,40}|\*)$")]
    clouds: frozenset[EngineName] = frozenset()
    """The engines outside the deployment that the tenant's audio may be sent to."""
    cloud_seconds_a_day: Annotated[float | None, Field(gt=0)] = None
    """The most seconds of audio that may be sent to them from one midnight (UTC) to the next. None: no limit."""


@dataclass(frozen=True, config=_STRICT)
class Routing:
    """The routing rules."""

    policies: Mapping[str, Policy]
    tenants: Mapping[str, TenantRule]

    def tenant(self, name: str) -> TenantRule:
        """The rule for a tenant."""
        return self.tenants.get(name) or self.tenants.get(OTHER_TENANTS) or TenantRule(name)


@dataclass(frozen=True, config=_STRICT)
class _Document:
    policies: tuple[Policy, ...] = ()
    tenants: tuple[TenantRule, ...] = ()


def load_routing(path: Path | None, catalogue: Catalogue) -> Routing:
    """Read the rules of a deployment. Without a path there are none.

    Raises:
        RoutingError: The rules are not valid; the message says what is wrong and where.
        OSError: The file cannot be read.
    """
    if path is None:
        return Routing({}, {})
    try:
        document = TypeAdapter(_Document).validate_python(_read(path))
        _require_unique("policy", (policy.name for policy in document.policies))
        _require_unique("tenant", (tenant.name for tenant in document.tenants))
        for policy in document.policies:
            _check(policy, catalogue)
    except (tomllib.TOMLDecodeError, ValidationError, ValueError, UnknownModelError) as error:
        raise RoutingError(f"{path}: {error}") from error
    return Routing(
        {policy.name: policy for policy in document.policies}, {tenant.name: tenant for tenant in document.tenants}
    )


def _read(path: Path) -> dict[str, Any]:
    return tomllib.loads(path.read_text(encoding="utf-8"))


def _require_unique(kind: str, names: Iterable[str]) -> None:
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        raise ValueError(f"{kind} {twice[0]!r} is defined twice")


def _check(policy: Policy, catalogue: Catalogue) -> None:
    """Check a policy against the catalogue. Engines that are not in it are allowed: another package may bring them."""
    if policy.name in catalogue.engines:
        raise ValueError(f"policy {policy.name!r} has the name of an engine")
    for route in (*policy.routes, *([policy.shadow] if policy.shadow else [])):
        if route.engine in catalogue.engines:
            catalogue.model(route.engine, route.model)
