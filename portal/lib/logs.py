"""One record, one line: nothing that somebody typed can look like a log line of ours."""

import logging


def escape(text: str) -> str:
    """The text with everything that does not print (line breaks, terminal codes, directions of
    writing) as an escape like ``\\n`` or ``\\x1b``."""
    if text.isprintable():
        return text
    return "".join(
        char if char.isprintable() else char.encode("unicode_escape").decode() for char in text
    )


class LineFormatter(logging.Formatter):
    """Escapes messages; the lines of a traceback are set in, so that none looks like a record."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 - logging's name
        return escape(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802 - logging's name
        return _indented(super().formatException(ei))  # type: ignore[arg-type]

    def formatStack(self, stack_info: str) -> str:  # noqa: N802 - logging's name
        return _indented(super().formatStack(stack_info))


def _indented(text: str) -> str:
    return "\n".join(f"    | {escape(line)}" for line in text.split("\n"))
