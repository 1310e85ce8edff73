"""The engine depends on nothing but the standard library, the hash and the patterns."""

import ast
import sys
from pathlib import Path

import flags.engine

ALLOWED = {"mmh3", "re2", "flags.engine"}
IMPURE = {"random", "secrets", "time", "datetime", "os", "socket", "uuid", "pathlib", "logging"}
SOURCES = sorted(Path(flags.engine.__file__).parent.rglob("*.py"))


def imported_modules(source: Path) -> set[str]:
    nodes = list(ast.walk(ast.parse(source.read_text())))
    plain = {alias.name for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    return plain | {node.module or "" for node in nodes if isinstance(node, ast.ImportFrom)}


def test_engine__its_imports__are_pure() -> None:
    modules = {module for source in SOURCES for module in imported_modules(source)}
    assert "flags.engine.errors" in modules
    foreign = {
        module
        for module in modules
        if module.split(".")[0] not in sys.stdlib_module_names
        and ".".join(module.split(".")[:2]) not in ALLOWED
    }
    assert (foreign, modules & IMPURE) == (set(), set())
