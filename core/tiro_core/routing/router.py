"""Choosing the engine of a request: the one that it names, or the first of a policy that can and may serve it now."""

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from typing import Protocol

import grpc

from tiro.events.v1.route_pb2 import Route as RouteMessage
from tiro.speech.v1 import error_reason_pb2 as reasons
from tiro.speech.v1.recognition_pb2 import RecognitionConfig
from tiro_core.clock import until_midnight
from tiro_core.errors import TiroError, invalid_argument, resource_exhausted
from tiro_core.logs.logger import get_logger
from tiro_core.routing.language_tags import closest_language, normalized
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.rules import Policy, Route, Routing
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import Catalogue

log = get_logger()


@dataclass(frozen=True, slots=True)
class RequestConstraints:
    """The checks of a service for requests of its kind, jobs or live sessions."""

    check: Callable[[RecognitionConfig], None]
    """Raises TiroError where the engine and model do not support the other options of the request."""
    has_room: Callable[[RecognitionConfig], bool]
    """Whether a request for this engine and model would begin at once."""
    is_served: Callable[[RecognitionConfig], bool]
    """Whether any live worker of this engine and model takes such requests."""


class Usage(Protocol):
    """The audio that was sent to cloud engines."""

    def seconds_today(self, tenant: str, engines: Collection[str]) -> float:
        """Seconds of a tenant's audio that were sent to these engines since midnight, UTC."""


@dataclass(frozen=True, slots=True)
class Choice:
    """The engine and model that serve a request."""

    config: RecognitionConfig
    """The config, with engine and model set."""
    policy: str = ""
    """The policy that chose them. Empty where the request named the engine."""
    alternatives: Sequence[RouteMessage] = ()
    """The other routes of the policy that can serve the request, in its order."""
    shadow: RouteMessage | None = None
    """The route of the shadow, which transcribes the audio as well, for comparison."""
    allowed_clouds: Sequence[str] = ()
    """Those of all these engines that are clouds and may get the tenant's audio."""


class Router:
    """Chooses the engine and model of each request to a service."""

    def __init__(
        self,
        resolver: RecognitionResolver,
        catalogue: Catalogue,
        routing: Routing,
        workers: WorkerDirectory,
        usage: Usage,
    ) -> None:
        self._resolver = resolver
        self._catalogue = catalogue
        self._routing = routing
        self._workers = workers
        self._usage = usage

    def choose(self, tenant: str, asked: RecognitionConfig, field_path: str, constraints: RequestConstraints) -> Choice:
        """Choose the engine and model that serve a request.

        The candidates of a policy are its routes that support the request's language and options, and that the tenant
        has agreed to. The first candidate with room is chosen; without room, the first with a live worker; otherwise
        the first.

        Args:
            tenant: The tenant of the request.
            asked: The config of the request.
            field_path: The path of the config in the request, for error messages.
            constraints: The checks of the service.

        Raises:
            TiroError: INVALID_ARGUMENT; the engine, model or language is unknown, an option is not supported, or no
                route of the policy can serve the request. PERMISSION_DENIED; the engine is a cloud, and the tenant's
                audio must not be sent there. RESOURCE_EXHAUSTED; the tenant's daily limit is reached.
        """
        policy = self._routing.policies.get(asked.engine or self._resolver.default_engine)
        if policy is None:
            config = self._resolve(tenant, asked, field_path, constraints)
            return Choice(config, allowed_clouds=self.allowed_clouds(tenant, [config.engine]))
        if asked.model:
            raise invalid_argument(
                reasons.ERROR_REASON_INVALID_REQUEST,
                f"policy {policy.name!r} chooses the model itself",
                field_path=f"{field_path}.model",
            )
        candidates = self._candidates(tenant, policy, asked, field_path, constraints)
        chosen = _first(candidates, constraints.has_room) or _first(candidates, constraints.is_served) or candidates[0]
        shadow = self._shadow(tenant, policy, asked, field_path, constraints)
        return Choice(
            chosen,
            policy.name,
            [_message(one) for one in candidates if one is not chosen],
            shadow=_message(shadow) if shadow and _message(shadow) != _message(chosen) else None,
            allowed_clouds=self.allowed_clouds(
                tenant, [one.engine for one in (*candidates, shadow) if one is not None]
            ),
        )

    def require_consent(self, tenant: str, engine: str) -> None:
        """Refuse a cloud engine that must not get the tenant's audio, or no more of it today.

        Raises:
            TiroError: PERMISSION_DENIED, with the reason CLOUD_NOT_ALLOWED; RESOURCE_EXHAUSTED, with the reason
                CLOUD_LIMIT_REACHED.
        """
        if not self.is_cloud(engine):
            return
        rule = self._routing.tenant(tenant)
        if engine not in rule.clouds:
            raise TiroError(
                grpc.StatusCode.PERMISSION_DENIED,
                reasons.ERROR_REASON_CLOUD_NOT_ALLOWED,
                f"engine {engine!r} is a cloud, and the deployment sends it no audio of tenant {tenant!r}",
            )
        limit = rule.cloud_seconds_a_day
        if limit is not None and self._usage.seconds_today(tenant, rule.clouds) >= limit:
            raise resource_exhausted(
                reasons.ERROR_REASON_CLOUD_LIMIT_REACHED,
                f"{limit:.0f} s of audio of tenant {tenant!r} were sent to clouds today, which is the limit",
                retry_after=until_midnight(),
            )

    def allowed_clouds(self, tenant: str, engines: Collection[str]) -> Sequence[str]:
        """Those of some engines that the tenant's rule allows, whether or not they are known to be clouds yet."""
        return sorted(self._routing.tenant(tenant).clouds.intersection(engines))

    def is_cloud(self, engine: str) -> bool:
        """Whether an engine is a service outside the deployment, by the catalogue or by a live worker's record."""
        known = self._catalogue.engines.get(engine)
        return bool(known and known.cloud) or any(
            worker.cloud for worker in self._workers.alive() if worker.engine == engine
        )

    def _resolve(
        self, tenant: str, asked: RecognitionConfig, field_path: str, constraints: RequestConstraints
    ) -> RecognitionConfig:
        config = self._resolver.resolve(asked, field_path)
        self.require_consent(tenant, config.engine)
        constraints.check(config)
        return config

    def _resolve_route(
        self, tenant: str, route: Route, asked: RecognitionConfig, field_path: str, constraints: RequestConstraints
    ) -> RecognitionConfig:
        _require_language(route, asked)
        one = RecognitionConfig()
        one.CopyFrom(asked)
        one.engine, one.model = route.engine, route.model
        return self._resolve(tenant, one, field_path, constraints)

    def _shadow(
        self, tenant: str, policy: Policy, asked: RecognitionConfig, field_path: str, constraints: RequestConstraints
    ) -> RecognitionConfig | None:
        """The config of the policy's shadow. None where it cannot or must not serve the request, which is no error."""
        if policy.shadow is None:
            return None
        try:
            return self._resolve_route(tenant, policy.shadow, asked, field_path, constraints)
        except TiroError as refusal:
            log.info("no_shadow", policy=policy.name, engine=policy.shadow.engine, reason=refusal.message)
            return None

    def _candidates(
        self, tenant: str, policy: Policy, asked: RecognitionConfig, field_path: str, constraints: RequestConstraints
    ) -> Sequence[RecognitionConfig]:
        """The configs of a policy's routes that can serve a request, at least one."""
        found: list[RecognitionConfig] = []
        refusals: list[tuple[Route, TiroError]] = []
        for route in policy.routes:
            try:
                found.append(self._resolve_route(tenant, route, asked, field_path, constraints))
            except TiroError as refusal:
                refusals.append((route, refusal))
        if found:
            return found
        for _, why in refusals:
            if why.reason == reasons.ERROR_REASON_CLOUD_LIMIT_REACHED:  # it passes, unlike the others
                raise why
        said = "; ".join(f"{route.engine}: {why.message}" for route, why in refusals)
        raise invalid_argument(
            reasons.ERROR_REASON_NO_ROUTE,
            f"policy {policy.name!r} has no engine for this request: {said}",
            field_path=f"{field_path}.engine",
        )


def _message(config: RecognitionConfig) -> RouteMessage:
    return RouteMessage(engine=config.engine, model=config.model)


def _require_language(route: Route, asked: RecognitionConfig) -> None:
    tags = [normalized(tag) for tag in asked.candidate_language_codes or [asked.language_code]]
    if route.languages and not all(closest_language(tag, route.languages) for tag in tags):
        named = ", ".join(sorted(route.languages))
        raise invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE, f"the policy has it for {named} alone")


def _first(
    candidates: Sequence[RecognitionConfig], holds: Callable[[RecognitionConfig], bool]
) -> RecognitionConfig | None:
    return next((one for one in candidates if holds(one)), None)
