"""What the targeting page shows of a flag in one environment."""

from flags import wording
from flags.models import FlagConfiguration
from flags.web.audience import distribution
from flags.web.rows import Cell, FlagRow
from flags.web.snippets import snippets
from flags.web.targeting import filling
from flags.web.targeting.nodes import Drawing
from portal.access.web.scope import Scope
from portal.approvals import selectors as approvals
from portal.approvals.models import ChangeRequest
from portal.approvals.web.outlook import Revising


def page_context(
    scope: Scope, configuration: FlagConfiguration, asked: ChangeRequest | None = None
) -> dict[str, object]:
    """The context of the page and of each of its parts; the form as a request asks, if given."""
    flag, environment = configuration.flag, configuration.environment
    document = asked.after if asked else configuration.document
    form = filling.to_form(document, flag.definition)
    parsed = configuration.configuration
    return {
        "scope": scope,
        "flag": flag,
        "row": FlagRow(flag),
        "cell": Cell(flag, configuration),
        "tab": "targeting",
        "revise": Revising.of(asked),
        "edited": asked is not None,
        "pending": approvals.open_requests(
            scope.project, subject_kind="flag", subject=flag.key, environment=environment
        ),
        "drawing": Drawing(form, {}),
        "distribution": distribution(parsed, flag.definition),
        "rule_words": [wording.rule(rule) for rule in parsed.rules],
        "snippets": snippets(flag),
    }
