"""The part of a setup's form that says how haproxy routes: fields as people fill them in, several
names of one field apart by commas."""

from collections.abc import Mapping
from typing import Any, Final

from portal.lib.web.pages import nest
from releases.web.check_form import minutes_of, seconds_of

# Which field of the form has what is wrong with one of the document.
_FIELDS: Final = ("haproxy", "map", "key", "backend", "baseline", "pin_s")
_KEPT: Final = ("places", "map", "key", "backend", "baseline")
BY_MAP, BY_WEIGHTS = "map", "weights"


def sent(pairs: Any) -> dict[str, Any]:
    found = nest(pairs).get("haproxy")
    return found if isinstance(found, dict) else {}


def form_of(router: Mapping[str, Any]) -> dict[str, Any]:
    if router.get("kind") != "haproxy":
        return {"by": BY_MAP}
    servers = router.get("servers", {})
    places = [*router.get("places", ("", "")), router.get("baseline", "")]
    return {
        "by": BY_MAP if "map" in router else BY_WEIGHTS,
        "haproxy": ", ".join(router["haproxy"]),
        "servers": [", ".join(servers.get(place, ())) for place in places],
        **{name: router[name] for name in _KEPT if name in router},
        **minutes_of(router, "pin_s"),
    }


def document_of(form: Mapping[str, Any]) -> dict[str, Any]:
    """The router that the form says; what is wrong with it is found when it is read."""
    places = _texts(form.get("places"))
    found: dict[str, Any] = {"kind": "haproxy", "haproxy": _names(form.get("haproxy"))}
    if form.get("by") == BY_WEIGHTS and not any([*places, *_texts(form.get("servers"))]):
        return found | {"backend": form.get("backend") or ""}  # for rolling releases alone
    found["places"] = places
    if baseline := form.get("baseline"):
        found["baseline"] = baseline
    names = ("map", "key") if form.get("by") != BY_WEIGHTS else ("backend",)
    found |= {name: form.get(name) or "" for name in names}
    if form.get("by") == BY_WEIGHTS:
        groups = zip([*places, form.get("baseline")], _texts(form.get("servers")), strict=False)
        found["servers"] = {str(place): _names(group) for place, group in groups if place}
    elif form.get("pin_s"):
        found |= seconds_of(form, "pin_s")
    return found


def errors_of(errors: Mapping[str, str], form: Mapping[str, Any]) -> dict[str, str]:
    """What is wrong beside each field, by the name that the template has of it."""
    places = [*_texts(form.get("places")), str(form.get("baseline") or "")]
    found: dict[str, str] = {}
    for path, text in errors.items():
        name, _dot, rest = path.removeprefix("router.").partition(".")
        field, _bracket, number = name.partition("[")
        place = rest.partition("[")[0]
        if field == "places":
            found.setdefault(f"places_{number.rstrip(']') or 0}", text)
        elif field == "servers" and place in places:
            found.setdefault(f"servers_{places.index(place)}", text)
        elif field in _FIELDS:
            found.setdefault(field, text)
    return found


def shown_paths(errors: Mapping[str, str], form: Mapping[str, Any]) -> list[str]:
    """Of what is wrong, that which stands beside a field."""
    return [path for path in errors if errors_of({path: ""}, form)]


def _names(text: object) -> list[str]:
    return [one.strip() for one in str(text or "").split(",") if one.strip()]


def _texts(values: object) -> list[str]:
    return [str(one) for one in values] if isinstance(values, list) else []
