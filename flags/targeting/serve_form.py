"""What is served and whom rules let in, in the form, both ways."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from django.utils.translation import gettext as _

from flags.engine import OPERATORS
from flags.targeting.form import (
    CODE,
    LOGIC,
    SPLIT,
    TARGETING_KEY,
    Form,
    Problems,
    dicts_in,
    is_in_parts,
    read_json,
    text_in,
    values_in,
    way_of,
    write_json,
    write_values,
)
from portal.lib import numbers

# Conditions in the form, both ways. Every condition of a rule stands in a group; a single one
# knows that it was bare, so that what nobody touched comes back as it was.

Document = dict[str, Any]


def group_to_form(when: Document) -> Form:
    if "not" in when:
        inner = when["not"]
        if "any" in inner:
            return {"match": "none", "conditions": list(map(_to_form, inner["any"]))}
        return {"match": "none", "conditions": [_to_form(inner)], "bare": "on"}
    for match in ("all", "any"):
        if match in when:
            return {"match": match, "conditions": list(map(_to_form, when[match]))}
    return {"match": "all", "conditions": [_to_form(when)], "bare": "on"}


def _to_form(when: Document) -> Form:
    for field, write in _LEAVES_TO_FORM.items():
        if field in when:
            return write(when)
    return group_to_form(when)


def _test_to_form(when: Document) -> Form:
    text, way = write_values(when["operator"], when.get("values", []))
    return {
        "attribute": when["attribute"],
        "operator": when["operator"],
        "values": text,
        "as": way,
        "ignore_case": "on" if when.get("ignore_case") else "",
    }


def _segment_to_form(when: Document) -> Form:
    return {"segment": when["segment"]}


def flag_to_form(when: Document) -> Form:
    return {"flag": when["flag"], "variants": [{"key": key} for key in when["variants"]]}


def logic_to_form(when: Document) -> Form:
    return {"logic": write_json(when["jsonlogic"]), "bucketing": when.get("bucketing", "")}


_LEAVES_TO_FORM: Final[dict[str, Callable[[Document], Form]]] = {
    "attribute": _test_to_form,
    "segment": _segment_to_form,
    "flag": flag_to_form,
    "jsonlogic": logic_to_form,
}


def read_group(group: Form, path: str, problems: Problems) -> Document:
    parts = [
        _read(part, f"{path}.conditions[{index}]", problems)
        for index, part in enumerate(dicts_in(group, "conditions"))
    ]
    match = group.get("match", "all")
    is_bare = len(parts) == 1 and bool(group.get("bare"))
    if match == "none":
        # An "any" inside would be taken for the group itself.
        return {"not": parts[0] if is_bare and "any" not in parts[0] else {"any": parts}}
    if match == "all" and is_bare:
        return parts[0]
    return {"any" if match == "any" else "all": parts}


def _read(part: Form, path: str, problems: Problems) -> Document:
    for field, read in _READERS.items():
        if field in part:
            return read(part, path, problems)
    return _read_test(part, path, problems)


def _read_test(part: Form, path: str, problems: Problems) -> Document:
    operator = part.get("operator", "")
    test: Document = {"attribute": part.get("attribute", "").strip(), "operator": operator}
    known = OPERATORS.get(operator)
    if known is None or known.read_values is not None:
        way = way_of(operator, part.get("as", ""))
        test["values"] = values_in(part.get("values", ""), way, f"{path}.values", problems)
    if part.get("ignore_case") and known and known.ignores_case:
        test["ignore_case"] = True
    return test


def _read_segment(part: Form, _path: str, _problems: Problems) -> Document:
    return {"segment": text_in(part, "segment").strip()}


def read_flag(part: Form, _path: str = "", _problems: Problems | None = None) -> Document:
    variants = [text_in(one, "key") for one in dicts_in(part, "variants")]
    return {"flag": text_in(part, "flag").strip(), "variants": variants}


def read_logic(part: Form, path: str, problems: Problems) -> Document:
    text = text_in(part, "logic")
    logic = read_json(text, f"{path}.logic", problems)
    if not text.strip():
        problems[f"{path}.logic"] = _("Write the JsonLogic, or take it out.")
    bucketing = text_in(part, "bucketing")
    return {"jsonlogic": logic} | ({"bucketing": bucketing} if bucketing else {})


_READERS: Final[dict[str, Callable[[Form, str, Problems], Document]]] = {
    "match": read_group,
    "segment": _read_segment,
    "flag": read_flag,
    "logic": read_logic,
}


_ALL: Final = 100


def serve_to_form(serve: Document, variants: list[str]) -> Form:
    if "split" in serve:
        return _split_to_form(serve, variants)
    form = {"split": _shares([], variants, 1000)}
    if "jsonlogic" in serve:
        return form | {"variant": LOGIC} | logic_to_form(serve)
    return form | {"variant": serve.get("variant", CODE)}


def _split_to_form(serve: Document, variants: list[str]) -> Form:
    per_unit = 1 if is_in_parts(serve.get("algorithm")) else 1000
    overrides = serve.get("overrides")
    return {
        "variant": SPLIT,
        "split": _shares(serve["split"], variants, per_unit),
        **_bucketing_to_form(serve),
        **({"overrides": write_json(overrides)} if overrides else {}),
    }


def _bucketing_to_form(one: Document) -> Form:
    else_by, _way = write_values("in", one.get("else_by", []))
    kept = {name: one[name] for name in ("algorithm", "seed") if name in one}
    return {"bucket_by": one.get("bucket_by", TARGETING_KEY), "else_by": else_by} | kept


def _shares(split: list[Document], variants: list[str], per_unit: int) -> list[Form]:
    """The shares in their order, then the variants that have none: order decides who grows."""
    shares = [(share["variant"], share["weight"], "on") for share in split]
    given = {variant for variant, _weight, _listed in shares}
    shares += [(key, 0, "") for key in variants if key not in given]
    return [
        {"variant": key, "weight": _number(weight / per_unit), "listed": listed}
        for key, weight, listed in shares
    ]


def _number(weight: float) -> str:
    return f"{weight:.3f}".rstrip("0").rstrip(".")


def audience_to_form(audience: Document | None) -> Form:
    if audience is None:
        return {"percent": "100", "bucket_by": TARGETING_KEY}
    return {
        "percent": _number(audience["percent"]),
        **_bucketing_to_form(audience),
        "group": audience.get("group", ""),
        "given": "on" if audience["percent"] == _ALL else "",
    }


def read_serve(serve: Form, path: str, problems: Problems) -> Document:
    chosen = serve.get("variant", "")
    if chosen == SPLIT:
        return _read_split(serve, path, problems)
    if chosen == LOGIC:
        return read_logic(serve, path, problems)
    return {"code_default": True} if chosen == CODE else {"variant": chosen}


def _read_split(serve: Form, path: str, problems: Problems) -> Document:
    in_parts = is_in_parts(serve.get("algorithm"))
    read_weight = _parts if in_parts else _weight
    shares = []
    for index, share in enumerate(dicts_in(serve, "split")):
        text = text_in(share, "weight") or "0"
        weight = read_weight(text, f"{path}.split[{index}].weight", problems)
        if weight or share.get("listed"):
            shares.append({"variant": share.get("variant", ""), "weight": weight})
    total = sum(int(str(share["weight"])) for share in shares)
    if not in_parts and total != 100_000 and not problems:
        problems[f"{path}.split"] = _("The shares add up to {total} %; make it 100 %.").format(
            total=f"{total / 1000:g}"
        )
    overrides = text_in(serve, "overrides").strip()
    given = {"overrides": read_json(overrides, f"{path}.overrides", problems)} if overrides else {}
    return {"split": shares} | _read_bucketing(serve, path, problems) | given


def _read_bucketing(node: Form, path: str, problems: Problems) -> Document:
    attribute = text_in(node, "bucket_by").strip()
    else_by = values_in(text_in(node, "else_by"), "text", f"{path}.else_by", problems)
    kept: Document = {name: node[name] for name in ("algorithm", "seed") if name in node}
    return {
        **({"bucket_by": attribute} if attribute not in ("", TARGETING_KEY) else {}),
        **({"else_by": else_by} if else_by else {}),
        **kept,
    }


def read_audience(audience: Form, path: str, problems: Problems) -> Document | None:
    percent = read_percent(text_in(audience, "percent") or "100", f"{path}.percent", problems)
    group = text_in(audience, "group").strip()
    if percent == _ALL and not group and not audience.get("given"):
        return None
    return {
        "percent": float(percent),
        **_read_bucketing(audience, path, problems),
        **({"group": group} if group else {}),
    }


def _weight(text: str, path: str, problems: Problems) -> int:
    return int(read_percent(text, path, problems) * 1000)


def _parts(text: str, path: str, problems: Problems) -> int:
    number = numbers.read_whole(text)
    if number is None:
        problems[path] = _("Give a whole number of parts.")
    return number or 0


def read_percent(text: str, path: str, problems: Problems) -> Decimal:
    value = numbers.read_percent(text)
    if value is None:
        problems[path] = _("Give a percentage from 0 to 100, with at most 3 decimals.")
        return Decimal(100)
    return value
