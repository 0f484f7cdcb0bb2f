"""Which engine a request gets: the one that it names, or the first of a policy's that can and may serve it now."""

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
from tiro_core.routing.resolver import RecognitionResolver
from tiro_core.routing.rules import Policy, Route, Routing
from tiro_core.routing.workers import WorkerDirectory
from tiro_engines.catalogue import Catalogue

log = get_logger()


@dataclass(frozen=True, slots=True)
class RequestConstraints:
    """What the service that is asked knows of requests of its kind."""

    check: Callable[[RecognitionConfig], None]
    """Raises TiroError where an engine and model cannot do what the rest of the request asks for."""
    has_room: Callable[[RecognitionConfig], bool]
    """Whether a request for this engine and model would be begun at once."""
    is_served: Callable[[RecognitionConfig], bool]
    """Whether any live worker of them takes such requests."""


class Usage(Protocol):
    """What has gone to clouds."""

    def seconds_today(self, tenant: str, engines: Collection[str]) -> float:
        """Audio of a tenant that was sent to these engines since midnight, UTC."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What serves a request."""

    config: RecognitionConfig
    """With engine and model set."""
    policy: str = ""
    """What chose them. Empty where the request named the engine."""
    alternatives: Sequence[RouteMessage] = ()
    """What else the policy has for the request, in its order."""
    shadow: RouteMessage | None = None
    """Who is to hear the audio as well, so that the deployment can compare them."""
    allowed_clouds: Sequence[str] = ()
    """Of all these, the engines that the tenant's audio may go to although they are clouds."""


class Router:
    """Chooses for all requests of a service."""

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
        """Choose what serves a request.

        Of a policy's routes those count that the request's language and options, and the tenant's consent, leave. Of
        these the first that has room is taken; where none has, the first that a live worker serves; failing that the
        first.

        Args:
            tenant: Whose request it is.
            asked: What it asks to recognize with.
            field_path: Where in the request that stands, for error messages.
            constraints: What the service that is asked knows of such requests.

        Raises:
            TiroError: INVALID_ARGUMENT; the engine, the model or the language is unknown, or an option is not theirs;
                or no route of the policy can serve the request. PERMISSION_DENIED; the engine is a cloud, and the
                tenant's audio must not go there. RESOURCE_EXHAUSTED; enough of it has gone there today.
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
        """Refuse an engine that the tenant's audio must not go to, or not today.

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
                f"engine {engine!r} is a cloud, and the deployment lets no audio of tenant {tenant!r} go there",
            )
        limit = rule.cloud_seconds_a_day
        if limit is not None and self._usage.seconds_today(tenant, rule.clouds) >= limit:
            raise resource_exhausted(
                reasons.ERROR_REASON_CLOUD_LIMIT_REACHED,
                f"{limit:.0f} s of audio of tenant {tenant!r} have gone to clouds today, which is the limit",
                retry_after=until_midnight(),
            )

    def allowed_clouds(self, tenant: str, engines: Collection[str]) -> Sequence[str]:
        """Those of some engines that the rules list for a tenant, whether or not they are known to be clouds yet."""
        return sorted(self._routing.tenant(tenant).clouds.intersection(engines))

    def is_cloud(self, engine: str) -> bool:
        """Whether an engine is a service outside the deployment: by the catalogue, or by a live worker's word."""
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
        """Who else is to hear it. One that cannot serve the request, or must not, does not: nobody waits for it."""
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
        """The routes that can serve a request, at least one."""
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
    if route.languages and asked.language_code not in route.languages:
        named = ", ".join(sorted(route.languages))
        raise invalid_argument(reasons.ERROR_REASON_UNSUPPORTED_LANGUAGE, f"the policy has it for {named} alone")


def _first(
    candidates: Sequence[RecognitionConfig], holds: Callable[[RecognitionConfig], bool]
) -> RecognitionConfig | None:
    return next((one for one in candidates if holds(one)), None)
