"""An exported file in others' hands: the JsonLogic library of flagd itself, and flagd's in Python.

flagd's binary is not to be had as a Go module everywhere; what it evaluates logic with is. That
library runs all arguments before it looks at any, and ends at the first that it cannot use: so
this also shows that nothing in a file fails on any context.
"""

import json
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

import pytest
from openfeature.contrib.tools.flagd.core.targeting import targeting
from openfeature.evaluation_context import EvaluationContext

from flags.transfer.exporters.flagd import write_file
from flags.transfer.exporters.flagd.serving import NOBODY
from tests.flags.transfer.exporters.flagd_cases import contexts, every_construct
from tests.flags.transfer.exporters.flagd_model import NOTHING, Answer, answer_of, resolved
from tests.flags.transfer.exporters.test_flagd_answers import may_be_refused

SOURCE = Path(__file__).with_name("golang")
BUILD_S = 180

PLACE = every_construct()
FILE = write_file(PLACE.corpus).document("shop/production")
LOGIC = {
    key: resolved(flag["targeting"], FILE.get("$evaluators", {}))
    for key, flag in FILE["flags"].items()
    # Logic of a flag's own is passed on as it is, whatever an older library makes of it.
    if "targeting" in flag and "logic" not in key
}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A program around flagd's library; Go keeps what it has built and downloaded once."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed, so flagd's own library cannot be built")
    binary = tmp_path_factory.mktemp("golang") / "logic"
    built = subprocess.run(
        [go, "build", "-o", str(binary), "."],
        cwd=SOURCE,
        env={**os.environ, "GOFLAGS": "-mod=readonly -buildvcs=false"},
        capture_output=True,
        text=True,
        timeout=BUILD_S,
        check=False,
    )
    if built.returncode:
        pytest.skip(f"flagd's own library cannot be had here: {built.stderr.strip()[-300:]}")
    return binary


def ask_library(binary: Path, asked: list[tuple[str, dict[str, Any]]]) -> Iterator[object]:
    lines = [json.dumps(LOGIC)]
    for key, context in asked:
        about = {"flagKey": key, "timestamp": 0}
        lines.append(json.dumps({"flag": key, "data": {**context, "$flagd": about}}))
    done = subprocess.run(
        [binary], input="\n".join(lines), capture_output=True, text=True, timeout=60, check=True
    )
    return map(json.loads, done.stdout.splitlines())


def answer(key: str, result: object) -> Answer:
    flag = FILE["flags"][key]
    name = flag["defaultVariant"] if result is None else result
    assert name is None or isinstance(name, str), (key, result)
    if name is None or name not in flag["variants"]:
        return NOTHING
    return (name, flag["variants"][name])


def test_the_library_of_flagd__random_contexts__answers_as_we_do(library: Path) -> None:
    keys = cycle(LOGIC)
    asked = [(next(keys), context) for context in contexts(10_000)]
    for (key, context), result in zip(asked, ask_library(library, asked), strict=True):
        ours = answer_of(PLACE.flags[key].evaluate(context, PLACE.state))
        if result == NOBODY and ours != NOTHING:
            assert may_be_refused(context), (key, context, ours)
        else:
            assert answer(key, result) == ours, (key, context, result)


def tame(context: Mapping[str, Any]) -> dict[str, Any]:
    """Without what Python confuses: true and 1, false and 0."""
    numbers = {**context, "age": 11} if context.get("age") in (0, 1) else dict(context)
    tags = numbers.get("tags")
    if isinstance(tags, list):
        numbers["tags"] = [one for one in tags if one not in (0, 1)]
    return numbers


def test_flagd_in_python__contexts_of_the_right_types__answers_as_we_do() -> None:
    """Where nothing is bucketed: it has the next generation of buckets already."""
    unbucketed = [key for key, logic in LOGIC.items() if "fractional" not in json.dumps(logic)]
    assert len(unbucketed) > 30
    keys = cycle(unbucketed)
    for drawn in contexts(2_000, odd=0):
        key, context = next(keys), tame(drawn)
        attributes = {name: one for name, one in context.items() if name != "targetingKey"}
        result = targeting(
            key, LOGIC[key], EvaluationContext(context.get("targetingKey"), attributes)
        )
        ours = answer_of(PLACE.flags[key].evaluate(context, PLACE.state))
        assert answer(key, result) == ours, (key, context, result)
