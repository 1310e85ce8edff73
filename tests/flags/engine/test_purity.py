"""The engine, and what reads its documents, need the standard library, the hash, the patterns."""

import ast
import sys
from pathlib import Path

import flags.engine
import portal.lib.documents

ALLOWED = {"mmh3", "re2", "flags.engine", "portal.lib.documents"}
IMPURE = {"random", "secrets", "time", "datetime", "os", "socket", "uuid", "pathlib", "logging"}
SOURCES = [
    Path(portal.lib.documents.__file__),
    *sorted(Path(str(flags.engine.__file__)).parent.rglob("*.py")),
]


def imported_modules(source: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(source.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_engine__its_imports__are_pure() -> None:
    modules = {module for source in SOURCES for module in imported_modules(source)}
    assert {"flags.engine.document", "portal.lib.documents"} <= modules
    foreign = {
        module
        for module in modules
        if module.split(".")[0] not in sys.stdlib_module_names
        and not any(f"{module}.".startswith(f"{allowed}.") for allowed in ALLOWED)
    }
    assert (foreign, modules & IMPURE) == (set(), set())
