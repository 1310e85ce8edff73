"""What a body or an answer of the management API is, said once.

A Shape names its fields: it reads bodies, dumps rows, and ``openapi`` describes it in the schema::

    GROUP = Shape("Group", {"key": TEXT(), "name": TEXT(), "members": TEXTS(of=_names)})
    NEW_GROUP = Shape("NewGroup", {"key": TEXT(maxLength=50), "name": TEXT(optional=True)})

    made = services.create_group(**NEW_GROUP.read(request.data), …)
    return Response(GROUP.dump(made))

What the schema says beyond types, such as ``maxLength``, only describes: services check what they
store, whatever way it comes.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, Final

from django.utils.dateparse import parse_datetime
from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy

from portal.lib.documents import DocumentError, Problem, Reader, list_of, refuse
from portal.lib.errors import Invalid

_MOST_WHOLE: Final = 2**31
_MOST_OBJECTS: Final = 10_000
_known: Final[dict[str, "Shape"]] = {}


@dataclass(frozen=True, slots=True)
class Kind:
    """A type of field.

    ``schema`` is the schema's, and may hold shapes. ``read`` turns what was sent into a value;
    ``dump`` is the way back.
    """

    schema: Any
    read: Reader[Any] = lambda value: value
    dump: Callable[[Any], Any] = lambda value: value

    def __call__(
        self,
        text: str = "",
        *,
        of: str | Callable[[Any], Any] = "",
        optional: bool = False,
        nullable: bool = False,
        **words: Any,
    ) -> "Field":
        """A field of this type; ``words`` are what else the schema says of it."""
        return Field(self, text, of, optional or "default" in words, nullable, words)


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a shape.

    ``of`` is where a row has it, as a path or a function; else it has it by the field's name.
    """

    kind: Kind
    text: str
    of: str | Callable[[Any], Any]
    optional: bool
    nullable: bool
    words: Mapping[str, Any]

    def read(self, value: Any) -> Any:
        """Raises DocumentError where it is not of this type."""
        return None if value is None and self.nullable else self.kind.read(value)

    def dump(self, row: Any, name: str) -> Any:
        if callable(self.of):
            row = self.of(row)
        else:
            for step in (self.of or name).split("."):
                row = row if row is None else getattr(row, step)
        return row if row is None else self.kind.dump(row)


@dataclass(eq=False, repr=False)
class Shape:
    """An object with these fields; ``text`` says in the schema what it is.

    ``stored`` is where a row has a document whose fields are answered as they are.
    """

    name: str
    fields: Mapping[str, Field]
    text: str = ""
    stored: str = ""
    # drf-spectacular sets it on copies that describe bodies of PATCH: no field is required there.
    partial: bool = field(default=False, init=False)

    def __post_init__(self) -> None:
        if _known.setdefault(self.name, self) is not self:
            raise ValueError(f"there is another shape called {self.name}")

    def but(self, name: str, text: str = "", **fields: Field) -> "Shape":
        return Shape(name, {**self.fields, **fields}, text)

    def one(self, text: str = "", **options: Any) -> Field:
        return Kind(self, self._read, self.dump)(text, **options)

    def many(self, text: str = "", **options: Any) -> Field:
        schema = {"type": "array", "items": self}
        kind = Kind(schema, list_of(self._read, most=_MOST_OBJECTS), self._dump_all)
        return kind(text, **options)

    def read(self, document: object) -> dict[str, Any]:
        """The fields that were sent. Raises Invalid with each that is wrong, missing or unknown."""
        try:
            return self._read(document)
        except DocumentError as error:
            raise Invalid({one.path: one.message for one in error.problems}) from None

    def _read(self, document: object) -> dict[str, Any]:
        if not isinstance(document, Mapping):
            refuse(_("Send an object with {fields}.").format(fields=", ".join(self.fields)))
        unknown = [name[:100] for name in document if name not in self.fields]
        problems = [Problem(name, _("There is no such field.")) for name in unknown]
        found = {}
        for name, one in self.fields.items():
            if name not in document:
                problems += [] if one.optional else [Problem(name, _("This is missing."))]
                continue
            try:
                found[name] = one.read(document[name])
            except DocumentError as error:
                problems += error.under(name)
        if problems:
            raise DocumentError(problems)
        return found

    def dump(self, row: Any, /, **given: Any) -> dict[str, Any]:
        """A row as it is answered. ``given`` is what the row does not know, as it is answered.

        Of what is optional only that is answered which is given, stored, or said ``of``.
        """
        given = {**(getattr(row, self.stored) if self.stored else {}), **given}
        found = {
            name: given[name] if name in given else one.dump(row, name)
            for name, one in self.fields.items()
            if name in given or one.of or not one.optional
        }
        return {**found, **given}

    def _dump_all(self, rows: Iterable[Any]) -> list[dict[str, Any]]:
        return [row if isinstance(row, dict) else self.dump(row) for row in rows]


class PageShape(Shape):
    def __init__(self, name: str, rows: str, many: Field, **more: Field) -> None:
        following = TEXT("The cursor of the next page.", nullable=True)
        super().__init__(name, {rows: many, "next": following, **more})
        self.rows = rows


def read_object(document: object) -> dict[str, Any]:
    """A body whose fields a service reads. Raises Invalid."""
    if not isinstance(document, dict):
        raise Invalid({"": _("Send a JSON object.")})
    return document


def _is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < _MOST_WHOLE


def reader(read: Callable[[Any], Any], sentence: str | Promise) -> Reader[Any]:
    """A reader of what ``read`` makes a value of; what it makes None of is refused."""

    def read_or_refuse(value: object) -> Any:
        found = read(value)
        if found is None:
            refuse(str(sentence))
        return found

    return read_or_refuse


def _which(fits: Callable[[Any], bool], sentence: str | Promise) -> Reader[Any]:
    return reader(lambda value: value if fits(value) else None, sentence)


def _moment(value: object) -> datetime | None:
    try:
        moment = parse_datetime(value) if isinstance(value, str) else None
        if moment is None or moment.tzinfo is None:
            return None
        moment.astimezone(UTC)
    except (ValueError, OverflowError):  # the 31st of June, or no instant of the calendar in UTC
        return None
    return moment


_TEXT: Final = {"type": "string"}
_WHOLE: Final = {"type": "integer"}
TEXT: Final = Kind(
    _TEXT, _which(lambda value: isinstance(value, str), gettext_lazy("Send a text.")), str
)
TEXTS: Final = Kind(
    {"type": "array", "items": _TEXT},
    _which(
        lambda value: isinstance(value, list) and all(isinstance(one, str) for one in value),
        gettext_lazy("Send a list of texts."),
    ),
    list,
)
WHOLE: Final = Kind(_WHOLE, _which(_is_whole, gettext_lazy("Send a whole number.")))
NUMBER: Final = Kind(
    {"type": "number", "format": "double"},
    _which(
        lambda value: isinstance(value, int | float) and not isinstance(value, bool),
        gettext_lazy("Send a number."),
    ),
)
SWITCH: Final = Kind(
    {"type": "boolean"},
    _which(lambda value: isinstance(value, bool), gettext_lazy("Send true or false.")),
)
MOMENT: Final = Kind(
    {**_TEXT, "format": "date-time"},
    reader(_moment, gettext_lazy("Send a time with its zone, like 2026-01-31T12:00:00Z.")),
    lambda moment: moment.isoformat(),
)
INSTANT: Final = replace(
    MOMENT, dump=lambda at: at.astimezone(UTC).isoformat(timespec="microseconds")
)
"""As the audit trail writes it."""
ANY: Final = Kind({})
OBJECT: Final = Kind(
    {"type": "object", "additionalProperties": {}},
    _which(lambda value: isinstance(value, dict), gettext_lazy("Send an object.")),
)
OBJECTS: Final = Kind(
    {"type": "array", "items": OBJECT.schema},
    _which(
        lambda value: isinstance(value, list) and all(isinstance(one, dict) for one in value),
        gettext_lazy("Send a list of objects."),
    ),
)
VERSIONS: Final = Kind(
    {"type": "object", "additionalProperties": {**_WHOLE, "minimum": 0}},
    _which(
        lambda value: isinstance(value, dict) and all(map(_is_whole, value.values())),
        gettext_lazy("Send an object with a version for each."),
    ),
)
