"""What somebody typed cannot write log lines of its own."""

import io
import logging
import sys

import pytest
from django.conf import settings

from portal.lib import logs
from portal.supervisor import supervised

FORGED = "alice\r\n2026-01-01 INFO portal \x1b[2Jall is well\u2028\u202e\x00\x7f\x85"


def written(message: str, *args: object, error: bool = False) -> str:
    """What a handler with the product's own formatter writes."""
    formatter: dict[str, str] = settings.LOGGING["formatters"]["line"]  # type: ignore[index]
    assert formatter["()"] == "portal.lib.logs.LineFormatter"
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.LineFormatter(formatter["fmt"]))
    exc_info = sys.exc_info() if error else None
    handler.handle(logging.LogRecord("n", logging.INFO, "p", 1, message, args, exc_info))
    return stream.getvalue()


def test_log__control_characters_in_an_argument__stay_on_one_line() -> None:
    line = written("signed in: %s", FORGED)
    assert line.endswith("\n")
    assert line[:-1].isprintable()
    assert r"alice\r\n2026-01-01 INFO portal \x1b[2Jall is well\u2028\u202e\x00\x7f\x85" in line


def test_log__plain_text__is_as_it_was() -> None:
    assert written("Käse & 🧀").endswith("INFO n Käse & 🧀\n")


def test_log__exception_that_repeats_what_was_typed__has_its_lines_set_in() -> None:
    try:
        raise ValueError(FORGED)
    except ValueError:
        _first, *rest = written("failed", error=True).rstrip("\n").split("\n")
    assert any("all is well" in line for line in rest)
    assert all(line.startswith("    | ") and line.isprintable() for line in rest)


def test_supervisor__line_of_a_process__has_no_control_characters(
    capsys: pytest.CaptureFixture[str],
) -> None:
    supervised.say("web", "all \x1b[2J well")
    assert capsys.readouterr().out == "web       | all \\x1b[2J well\n"
