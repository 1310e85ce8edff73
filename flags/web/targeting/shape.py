"""The fields that the targeting form has."""

from portal.lib.web.forms import Fields, texts

_BUCKETING = texts("bucket_by", "else_by", "algorithm", "seed")
_SERVE: Fields = {
    **texts("variant", "logic", "bucketing", "overrides"),
    **_BUCKETING,
    "split": [texts("variant", "weight", "listed")],
}
_FLAG_AND_VARIANTS: Fields = {**texts("flag"), "variants": [texts("key")]}
# A test of an attribute; with "segment", "flag" or "logic" of something else; or with "match" a
# group of conditions.
_CONDITION: Fields = {
    **texts("match", "bare", "attribute", "operator", "values", "as", "ignore_case"),
    **texts("segment", "logic", "bucketing"),
    **_FLAG_AND_VARIANTS,
}
_CONDITION["conditions"] = [_CONDITION]
_RULE: Fields = {
    **texts("id", "name"),
    "when": _CONDITION,
    "audience": {**texts("percent", "group", "given"), **_BUCKETING},
    "serve": _SERVE,
}
FIELDS: Fields = {
    **texts("enabled", "off_variant", "salt"),
    "prerequisites": [_FLAG_AND_VARIANTS],
    "targets": [texts("variant", "keys")],
    "rules": [_RULE],
    "fallthrough": _SERVE,
}
