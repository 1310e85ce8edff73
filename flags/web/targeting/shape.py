"""The fields that the targeting form has."""

from portal.lib.form_paths import Fields, texts

_SERVE: Fields = {
    **texts("variant", "bucket_by", "algorithm", "seed"),
    "split": [texts("variant", "weight")],
}
# A test of an attribute, or with "match" a group of conditions.
_CONDITION = texts("match", "bare", "attribute", "operator", "values", "as", "ignore_case")
_CONDITION["conditions"] = [_CONDITION]
_RULE: Fields = {
    **texts("id", "name"),
    "when": _CONDITION,
    "audience": texts("percent", "bucket_by"),
    "serve": _SERVE,
}
FIELDS: Fields = {
    **texts("off_variant", "salt"),
    "targets": [texts("variant", "keys")],
    "rules": [_RULE],
    "fallthrough": _SERVE,
}
