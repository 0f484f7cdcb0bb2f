"""What a deployment says about choosing engines: its policies, and whose audio may go to a cloud.

Data, not code: a TOML file that ingest and the streamer read, named by `TIRO_ROUTING`. Without one there is no policy,
and nobody's audio goes to a cloud.
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

ANYBODY = "*"
"""Stands for every tenant that the rules do not name."""

_STRICT = ConfigDict(extra="forbid")
EngineName: TypeAlias = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]{0,39}$")]
"""Of an engine or a policy: as `RecognitionConfig.engine` takes it."""
ModelName: TypeAlias = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9.-]{0,59})?$")]
LanguageCode: TypeAlias = Annotated[str, Field(pattern=r"^[a-z]{2,3}$")]


class RoutingError(CannotStart):
    """The rules do not say what rules must say."""


@dataclass(frozen=True, config=_STRICT)
class Route:
    """One way that a request may go."""

    engine: EngineName
    model: ModelName = ""
    """Empty: the engine's default."""
    languages: frozenset[LanguageCode] = frozenset()
    """It is for requests that name one of these. Empty: for all."""


@dataclass(frozen=True, config=_STRICT)
class Policy:
    """The ways that a request may go, the preferred one first."""

    name: EngineName
    routes: Annotated[tuple[Route, ...], Field(min_length=1)]
    shadow: Route | None = None
    """Hears its jobs and sessions as well, so that the deployment can compare them."""


@dataclass(frozen=True, config=_STRICT)
class TenantRule:
    """What a tenant has agreed to."""

    name: Annotated[str, Field(pattern=r"^([a-z0-9-]{1,40}|\*)$")]
    clouds: frozenset[EngineName] = frozenset()
    """The engines outside the deployment that may hear its audio."""
    cloud_seconds_a_day: Annotated[float | None, Field(gt=0)] = None
    """So much audio may be sent to them from one midnight (UTC) to the next. None: any amount."""


@dataclass(frozen=True, config=_STRICT)
class Routing:
    """All of it."""

    policies: Mapping[str, Policy]
    tenants: Mapping[str, TenantRule]

    def tenant(self, name: str) -> TenantRule:
        """The rule for a tenant."""
        return self.tenants.get(name) or self.tenants.get(ANYBODY) or TenantRule(name)


@dataclass(frozen=True, config=_STRICT)
class _Document:
    policies: tuple[Policy, ...] = ()
    tenants: tuple[TenantRule, ...] = ()


def load_routing(path: Path | None, catalogue: Catalogue) -> Routing:
    """Read the rules of a deployment; None: it has none.

    Raises:
        RoutingError: They make no sense; says what is wrong and where.
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
        raise ValueError(f"{kind} {twice[0]!r} is there twice")


def _check(policy: Policy, catalogue: Catalogue) -> None:
    """An engine that another package brings need not be in the catalogue."""
    if policy.name in catalogue.engines:
        raise ValueError(f"policy {policy.name!r} has the name of an engine")
    for route in (*policy.routes, *([policy.shadow] if policy.shadow else [])):
        if route.engine in catalogue.engines:
            catalogue.model(route.engine, route.model)
