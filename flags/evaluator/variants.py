"""Variants by what outcomes call them: their keys, or what they are served as."""

from dataclasses import dataclass, field

from flags.evaluator.entries import Rejected
from flags.evaluator.memory import CurrentEnvironment
from flags.evaluator.rule_history import RuleHistory


@dataclass(slots=True)
class KnownVariants:
    place: CurrentEnvironment
    history: RuleHistory
    is_client: bool
    found: dict[tuple[str, str], str] = field(default_factory=dict)

    def of(self, flag: str, told: str) -> str:
        """The key of the variant. Raises Rejected where a flag has none of that name."""
        found = self.found.get((flag, told))
        if found is None:
            known: dict[str, str] = {}
            for item in self.history.items(self.place.state, flag):
                if item.compiled and (item.client_visible or not self.is_client):
                    variants = item.compiled.source.definition.variants
                    known |= {one.key: one.key for one in variants}
                    known |= {one.label: one.key for one in variants}
            if not known:
                raise Rejected(f"there is no flag {flag[:100]!r} here")
            if told not in known:
                raise Rejected(f"the flag {flag[:100]!r} has no variant {told[:100]!r}")
            found = self.found[flag, told] = known[told]
        return found
