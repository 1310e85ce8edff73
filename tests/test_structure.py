"""The house as docs/architecture.md has it: few rooms, small ones, and every name once."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import pytest

from tests.support.settings_env import ROOT

PACKAGES = (
    "flags",
    "portal/access",
    "portal/approvals",
    "portal/audit",
    "portal/lib",
    "portal/notifications",
    "portal/reports",
    "portal/runs",
    "releases",
)
# Not subjects: Django's own, and what puts the subjects together.
OF_DJANGO = {"management", "migrations", "models", "templatetags"}
MOST_SUBJECTS, MOST_PAIRS = 14, 40
MOST_LINES, MOST_FUNCTION_LINES, MOST_TEMPLATE_CHARS = 400, 40, 120
# A row and the document that evaluators load are called what they both are.
TWO_LAYERS = {"Segment"}
_BROKEN = re.compile(r"\{%[^%}]*\n|\{\{[^}]*\n")


def modules(package: str) -> Iterator[tuple[Path, ast.Module]]:
    for path in sorted((ROOT / package).rglob("*.py")):
        if "migrations" not in path.parts:
            yield path.relative_to(ROOT), ast.parse(path.read_text())


def subjects() -> set[str]:
    folders = {path.name for path in (ROOT / "flags").iterdir() if path.is_dir()}
    return {name for name in folders - OF_DJANGO if not name.startswith("_")}


def imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def test_flags__has_few_subjects_and_few_of_them_know_each_other() -> None:
    known = subjects()
    assert len(known) <= MOST_SUBJECTS
    pairs = {
        (path.parts[1], name.split(".")[1])
        for path, tree in modules("flags")
        for name in imported(tree)
        if name.startswith("flags.") and name.split(".")[1] in known
    }
    between = {(one, other) for one, other in pairs if one in known and one != other}
    assert len(between) <= MOST_PAIRS, sorted(between)


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package__calls_no_two_classes_the_same(package: str) -> None:
    found = defaultdict(list)
    for path, tree in modules(package):
        for node in ast.walk(tree):
            # Django's and those that Django finds by their name.
            if isinstance(node, ast.ClassDef) and node.name not in {"Meta", "Command"}:
                found[node.name].append(str(path))
    twice = {name: where for name, where in found.items() if len(where) > 1}
    assert not twice.keys() - TWO_LAYERS, twice


def test_files_and_functions__are_short() -> None:
    code = chain.from_iterable(map(modules, ("flags", "portal", "releases", "bench")))
    long = []
    for path, tree in code:
        lines = len((ROOT / path).read_text().splitlines())
        if lines > MOST_LINES:
            long.append(f"{path}: {lines} lines")
        for node in ast.walk(tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                lines = (node.end_lineno or node.lineno) - node.lineno + 1
                if lines > MOST_FUNCTION_LINES:
                    long.append(f"{path}: {node.name}, {lines} lines")
    assert not long


def test_flags__imports_nothing_for_types_alone() -> None:
    """It would hide a circle; a Protocol opens it."""
    hidden = [
        str(path) for path, tree in modules("flags") if "typing.TYPE_CHECKING" in imported(tree)
    ]
    assert not hidden


TEMPLATES = sorted((ROOT / "templates").rglob("*.html"))


def test_templates__are_written_for_people() -> None:
    long = [
        f"{path.relative_to(ROOT)}:{number}"
        for path in TEMPLATES
        for number, line in enumerate(path.read_text().splitlines(), start=1)
        if len(line) > MOST_TEMPLATE_CHARS
    ]
    assert not long


def test_no_tag__is_broken_over_two_lines() -> None:
    """It would be no tag, and stand on the page as it is written."""
    broken = [path.name for path in TEMPLATES if _BROKEN.search(path.read_text())]
    assert not broken
