"""Toggles of Unleash, taken over and asked, beside Unleash's own client."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from UnleashClient.cache import FileCache
from UnleashClient.clients.unleash_client import UnleashClient
from UnleashClient.utils import InstanceAllowType

from flags.engine import CompiledFlag, EvaluationState, compile_segment
from flags.transfer.importers import ImportPlan, plan_import
from tests.flags.transfer.importers.plans import compiled

Toggle = Mapping[str, Any]


class Answer(NamedTuple):
    """What Unleash says of a toggle: ``isEnabled``, and ``getVariant`` with its payload."""

    enabled: bool
    variant: str = "disabled"
    payload: str | None = None
    payload_type: str | None = None


def plan_unleash(
    toggles: Iterable[object], segments: Iterable[object] = (), **others: object
) -> ImportPlan:
    document = {"version": 2, "features": list(toggles), "segments": list(segments), **others}
    return plan_import("unleash", document, environment="production")


class Imported:
    """Toggles as our engine answers them."""

    def __init__(self, plan: ImportPlan, *, now: float = 1_700_000_000.0) -> None:
        self.flags: dict[str, CompiledFlag] = {one.key: compiled(one) for one in plan.flags}
        self._draws = 0
        segments = {key: compile_segment(one) for key, one in plan.segments.documents.items()}
        self._world = EvaluationState(self.flags, segments, {}, now, self._draw)

    def _draw(self) -> str:
        self._draws += 1
        return f"draw-{self._draws}"

    def answer(self, name: str, context: Mapping[str, object]) -> Answer:
        result = self.flags[name].evaluate(context, self._world)
        facts = result.metadata
        assert facts["enabled"] is result.value, result
        payload = (facts.get("payload"), facts.get("payloadType"))
        return Answer(bool(result.value), result.label, *payload)  # type: ignore[arg-type]


class Original:
    """The same toggles as UnleashClient answers them, without any server."""

    def __init__(
        self, folder: Path, toggles: Iterable[object], segments: Iterable[object] = ()
    ) -> None:
        cache = FileCache("aviary", directory=str(folder))
        state = {"version": 2, "features": list(toggles), "segments": list(segments)}
        cache.bootstrap_from_dict(state)
        self._client = UnleashClient(
            "http://unleash.invalid/api",
            "",
            cache=cache,
            disable_metrics=True,
            disable_registration=True,
            multiple_instance_mode=InstanceAllowType.SILENTLY_ALLOW,
        )
        self._client.initialize_client(fetch_toggles=False)

    def close(self) -> None:
        self._client.destroy()

    def answer(self, name: str, context: Mapping[str, object]) -> Answer:
        variant = self._client.get_variant(name, dict(context))
        payload = variant.get("payload") or {}
        enabled = variant["feature_enabled"]
        return Answer(enabled, variant["name"], payload.get("value"), payload.get("type"))

    def is_enabled(self, name: str, context: Mapping[str, object]) -> bool:
        return bool(self._client.is_enabled(name, dict(context)))
