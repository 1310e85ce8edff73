"""OFREP's answers as documents: the evaluator sends them, explanations show them.

Stock providers need ``variant`` and ``reason`` with every value, ``errorDetails`` with every
error, and never a null value; they fall back to the code default otherwise.
"""

from typing import Final

from flags.engine.results import ErrorCode, Result

FLAG_NOT_FOUND: Final = "FLAG_NOT_FOUND"
GENERAL: Final = ErrorCode.GENERAL.value
ECHO_CHARS: Final = 250
"""Longer keys cannot exist; an answer does not repeat more of them."""
PROBLEM_CHARS: Final = 200


def success(key: str, result: Result) -> dict[str, object]:
    """An evaluation that came to a value, or to the default in the application's code."""
    answer: dict[str, object] = {
        "key": key,
        "value": result.value,
        "reason": result.reason,
        "variant": result.label,
        "metadata": result.metadata,
    }
    if result.value is None:
        del answer["value"]  # OFREP's way of saying "take the default in the code"
    return answer


def failure(code: str, details: str, *, key: str | None = None) -> dict[str, object]:
    """An evaluation failure; without a key, that of a bulk request."""
    named = {} if key is None else {"key": key[:ECHO_CHARS]}
    return {**named, "errorCode": code, "errorDetails": details}


def not_found(key: str) -> dict[str, object]:
    """What is said of a flag that is not there, or that a key may not see."""
    return failure(FLAG_NOT_FOUND, f"flag {key[:ECHO_CHARS]!r} was not found", key=key)


def not_usable(key: str, problem: str) -> dict[str, object]:
    """What is said, to a server key, of a flag whose document cannot be evaluated."""
    return failure(GENERAL, f"flag {key!r} cannot be evaluated: {problem}", key=key)


def failed(key: str, result: Result) -> dict[str, object]:
    """What is said, to a server key, where an evaluation came to an error."""
    details = result.error_details or f"flag {key!r} cannot be evaluated"
    return failure(result.error_code or GENERAL, details, key=key)
