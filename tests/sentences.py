"""Every sentence that people read, for somebody to read them in one sitting.

``python -m tests.sentences`` prints them, file by file: what templates and code hand to gettext.
"""

import ast
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import django

from tests.support.settings_env import ROOT

_PACKAGES = ("portal", "flags", "releases")
_CALLS = frozenset(
    f"{name}{kind}"
    for name in ("gettext", "ngettext", "pgettext", "npgettext")
    for kind in ("", "_lazy", "_noop")
) | {"_"}


def collect() -> Iterator[tuple[Path, str]]:
    """Each sentence with the file that it stands in, relative to the repository."""
    for package in _PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            for text in _in_code(ast.parse(path.read_text())):
                yield path.relative_to(ROOT), text
    for path in sorted((ROOT / "templates").rglob("*.html")):
        for text in _in_template(path.read_text()):
            yield path.relative_to(ROOT), text


def _in_code(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if not isinstance(node, ast.Call):
            continue
        name = getattr(node.func, "id", getattr(node.func, "attr", ""))
        if name in _CALLS:
            yield from (
                argument.value
                for argument in node.args
                if isinstance(argument, ast.Constant) and isinstance(argument.value, str)
            )


def _in_template(source: str) -> Iterator[str]:
    from django.template import engines
    from django.template.base import Template
    from django.templatetags.i18n import BlockTranslateNode, TranslateNode

    engine = engines["django"].engine  # type: ignore[attr-defined]
    nodes: Any = Template(source, engine=engine).nodelist
    for node in nodes.get_nodes_by_type(TranslateNode):
        if isinstance(text := node.filter_expression.var.literal, str):
            yield text
    for block in nodes.get_nodes_by_type(BlockTranslateNode):
        for tokens in filter(None, (block.singular, block.plural)):
            text, _variables = block.render_token_list(tokens)
            yield " ".join(text.split())


def _main() -> None:
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tests.support.settings_for_types")
    django.setup()
    last = None
    for path, text in collect():
        if path != last:
            sys.stdout.write(f"\n{path}\n")
        last = path
        sys.stdout.write(f"  {text}\n")


if __name__ == "__main__":
    _main()
