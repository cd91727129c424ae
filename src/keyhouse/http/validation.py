"""From Pydantic's findings to the entries of the envelope, in the words of Django REST framework.

No type name and no text of Pydantic's reaches a client, and of what the client sent only a bad choice comes back.
"""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, get_args

from pydantic_core import PydanticCustomError
from pydantic_core.core_schema import ErrorType

from keyhouse.errors import VALIDATION, Entry
from keyhouse.logs import without_tokens

_MOST_ECHOED = 100
ROOT = "non_field_errors"
# The `type` of the errors that our own validators raise; their entries are in the context.
OWN = "keyhouse"
_Finding = Mapping[str, Any]


def refusal(*entries: tuple[str, str]) -> PydanticCustomError:
    """What a validator of ours raises: one or more (code, detail) at its field."""
    return PydanticCustomError(OWN, "refused", {"entries": list(entries)})


def entries(errors: Iterable[_Finding]) -> list[Entry]:
    """Entries in the order of DRF: shallow paths first, within a depth as declared."""
    found = [found for error in errors for found in _entries(error)]
    return [entry for _, entry in sorted(found, key=lambda item: item[0])]


def _entries(error: _Finding) -> list[tuple[int, Entry]]:
    """Each with the number of parts that its path has: a name may have a dot in it."""
    location = list(error["loc"])
    source, path = location[0], location[1:]
    if source in {"query", "header", "cookie"}:
        path = path[:1]
    if source == "body" and not path and error.get("input") is None:
        # An empty body counts as {}: there was one, and it was null.
        return [(1, Entry("null", "No data provided.", ROOT))]
    parts = [_part(part) for part in path]
    if not parts or (error["type"] != OWN and _is_of_model(error, path)):
        parts.append(ROOT)
    told = error["ctx"]["entries"] if error["type"] == OWN else [_code_and_detail(error)]
    return [(len(parts), Entry(code, detail, ".".join(parts))) for code, detail in told]


def _part(part: object) -> str:
    """A name that the client made up may be anything, a lone surrogate too, or a token in the wrong place."""
    return without_tokens(str(part))[:_MOST_ECHOED].encode("utf-8", "replace").decode()


def _is_of_model(error: _Finding, path: list[Any]) -> bool:
    kind = error["type"]
    if kind in {"model_type", "model_attributes_type", "dict_type"}:
        return error.get("input") is not None or not path
    by_a_validator = kind in {"value_error", "assertion_error"} or kind not in _PYDANTICS
    return by_a_validator and (not path or isinstance(error.get("input"), dict))


def _code_and_detail(error: _Finding) -> tuple[str, str]:  # noqa: PLR0911 - a table with some conditions
    kind, context = error["type"], error.get("ctx") or {}
    # A field that nobody knows is not one that may not be null.
    if kind not in {"missing", "extra_forbidden"} and error.get("input", ...) is None:
        return "null", VALIDATION["null"]
    if kind in _FIXED:
        return _FIXED[kind]
    if kind in _COMPUTED:
        return _COMPUTED[kind](error, context)
    for prefix, detail in _INVALID_BY_PREFIX:
        if kind.startswith(prefix):
            return "invalid", detail
    if kind in {"value_error", "assertion_error"}:
        if str(error["msg"]).startswith("value is not a valid email address"):
            return "invalid", "Enter a valid email address."
        return "invalid", str(context.get("error") or VALIDATION["invalid"])
    if kind in {"enum", "literal_error"}:
        choice = _part(error.get("input"))
        return "invalid_choice", VALIDATION["invalid_choice"].format(choice=choice)
    if kind in _PYDANTICS:
        return "invalid", VALIDATION["invalid"]
    return kind, str(error["msg"])


DATETIME_FORMAT = (
    "Datetime has wrong format. Use one of these formats instead: YYYY-MM-DDThh:mm[:ss[.uuuuuu]][+HH:MM|-HH:MM|Z]."
)
_FIXED: Mapping[str, tuple[str, str]] = {
    "missing": ("required", VALIDATION["required"]),
    "string_type": ("invalid", "Not a valid string."),
    "string_unicode": ("surrogate_characters_not_allowed", VALIDATION["surrogate_characters_not_allowed"]),
    "extra_forbidden": ("invalid", "Unexpected field."),
    "timezone_aware": ("invalid", DATETIME_FORMAT),
}
# What Pydantic calls its findings, the ones that it raises in Python too; any other is an author's own, with its text.
_PYDANTICS = frozenset(get_args(ErrorType)) | {
    "base64_decode",
    "byte_size",
    "byte_size_unit",
    "bytes_type",
    "color_error",
    "import_error",
    *(f"ip_{version}_{kind}" for version in ("any", "v4", "v6") for kind in ("address", "interface", "network")),
    "not_operation_failed",
    "parent_does_not_exist",
    "path_exists",
    "path_not_directory",
    "path_not_file",
    "path_not_socket",
    "path_type",
    "pattern_bytes_type",
    "pattern_regex",
    "pattern_str_type",
    "pattern_type",
    "payment_card_number_brand",
    "payment_card_number_digits",
    "payment_card_number_luhn",
    "predicate_failed",
    "sequence_str",
    "zoneinfo_str",
}
_INVALID_BY_PREFIX = (
    ("int_", "A valid integer is required."),
    ("float_", "A valid number is required."),
    ("bool_", "Must be a valid boolean."),
    ("uuid_", "Must be a valid UUID."),
    ("datetime_", DATETIME_FORMAT),
)


def _length(code: str, key: str, unit: str) -> Callable[[_Finding, Mapping[str, Any]], tuple[str, str]]:
    def compute(_: _Finding, context: Mapping[str, Any]) -> tuple[str, str]:
        n = context[key]
        if code == "min_length" and n == 1:
            one = "blank" if unit == "characters" else "empty"
            return one, VALIDATION[one]
        return code, VALIDATION[code].format(n=n, unit=unit)

    return compute


def _bound(code: str, key: str) -> Callable[[_Finding, Mapping[str, Any]], tuple[str, str]]:
    return lambda _, context: (code, VALIDATION[code].format(n=context[key]))


_COMPUTED: Mapping[str, Callable[[_Finding, Mapping[str, Any]], tuple[str, str]]] = {
    "string_too_short": _length("min_length", "min_length", "characters"),
    "string_too_long": _length("max_length", "max_length", "characters"),
    "too_short": _length("min_length", "min_length", "elements"),
    "too_long": _length("max_length", "max_length", "elements"),
    "greater_than": _bound("min_value", "gt"),
    "greater_than_equal": _bound("min_value", "ge"),
    "less_than": _bound("max_value", "lt"),
    "less_than_equal": _bound("max_value", "le"),
    "list_type": lambda error, _: (
        "not_a_list",
        VALIDATION["not_a_list"].format(type=type(error["input"]).__name__),
    ),
    "dict_type": lambda error, _: _not_a_dictionary(error),
    "model_type": lambda error, _: _not_a_dictionary(error),
    "model_attributes_type": lambda error, _: _not_a_dictionary(error),
}


def _not_a_dictionary(error: _Finding) -> tuple[str, str]:
    return "invalid", f"Invalid data. Expected a dictionary, but got {type(error['input']).__name__}."
