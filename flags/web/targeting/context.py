"""What the targeting page shows of a flag in one environment."""

from flags import wording
from flags.models import FlagConfiguration
from flags.web.audience import distribution
from flags.web.rows import Cell, FlagRow
from flags.web.snippets import snippets
from flags.web.targeting import filling
from flags.web.targeting.nodes import Drawing
from portal.access.web.scope import Scope


def page_context(scope: Scope, configuration: FlagConfiguration) -> dict[str, object]:
    """The context of the page and of each of its parts."""
    flag = configuration.flag
    form = filling.to_form(configuration.document, flag.definition)
    parsed = configuration.configuration
    return {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "cell": Cell(flag, configuration),
        "tab": "targeting",
        "drawing": Drawing(form, {}),
        "distribution": distribution(parsed, flag.definition),
        "rule_words": [wording.rule(rule) for rule in parsed.rules],
        "snippets": snippets(flag),
    }
