"""`docs/openapi.md`: the OpenAPI document as a page to read."""

from collections.abc import Mapping
from typing import Any

_HEAD = """# OpenAPI

Made from the code by `make docs ARGS=--write`. [openapi.json](openapi.json) is the document itself, as `keyhouse
openapi` prints it and `/openapi.json` serves it; `/docs` of a running server lets you try it.

Every error answer is the envelope of [errors.md](errors.md). "Credentials" are what `Authorization: Bearer` has to
carry.
"""
_METHODS = ("get", "post", "patch", "put", "delete")
_REFERENCE = "#/components/schemas/"
# It is every refusal's, which the head of the page says once.
_ERROR = "[ErrorEnvelope](#errorenvelope)"


def openapi_page(document: Mapping[str, Any]) -> str:
    tags: dict[str, list[str]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                tag = item[method].get("tags", ["service"])[0]
                tags.setdefault(tag, []).append(_operation(method, path, item[method]))
    parts = [_HEAD]
    for tag, operations in tags.items():
        parts += [f"## {tag.replace('api', 'API')}", *operations]
    schemas = document["components"]["schemas"]
    parts += ["## Schemas", *(_schema(name, schema) for name, schema in sorted(schemas.items()))]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> str:
    lines = [f"### {method.upper()} {path}", ""]
    said = operation.get("description") or operation.get("summary", "")
    lines += [" ".join(said.split()), ""]
    lines.append(f"- Credentials: {_credentials(operation)}")
    for taken in operation.get("parameters", ()):
        need = "" if taken.get("required") else ", optional"
        lines.append(f"- `{taken['name']}` in the {taken['in']}{need}: {_kind(taken['schema'])}")
    for media, content in operation.get("requestBody", {}).get("content", {}).items():
        lines.append(f"- Body: {_kind(content['schema'])} as `{media}`")
    for status, answer in sorted(operation["responses"].items()):
        kinds = {_kind(content.get("schema", {})) for content in answer.get("content", {}).values()} - {"", _ERROR}
        lines.append(f"- {status}: {answer['description']}" + (f" ({', '.join(sorted(kinds))})" if kinds else ""))
    return "\n".join(lines)


def _credentials(operation: Mapping[str, Any]) -> str:
    asked = [scope for one in operation.get("security", ()) for scopes in one.values() for scope in scopes]
    if asked:
        return "with " + ", ".join(f"`{scope}`" for scope in asked)
    return "needed" if operation.get("security") else "none"


def _schema(name: str, schema: Mapping[str, Any]) -> str:
    lines = [f"### {name}", ""]
    if said := " ".join(schema.get("description", "").split()):
        lines += [said, ""]
    fields = schema.get("properties")
    if fields is None:
        return "\n".join([*lines, _kind(schema)])
    if not fields:
        return "\n".join([*lines, "An object without fields."])
    lines += ["| field | | what it is |", "|---|---|---|"]
    needed = schema.get("required", ())
    for field, of in fields.items():
        said = " ".join(of.get("description", "").split())
        kind = _kind(of) + (f". {said}" if said else "")
        lines.append(f"| `{field}` | {'required' if field in needed else ''} | {kind.replace('|', '&#124;')} |")
    return "\n".join(lines)


def _kind(schema: Mapping[str, Any]) -> str:
    """A schema in a few words."""
    if reference := schema.get("$ref"):
        name = reference.removeprefix(_REFERENCE)
        return f"[{name}](#{name.lower()})"
    if either := schema.get("anyOf") or schema.get("oneOf"):
        return " or ".join(_kind(one) for one in either)
    if "const" in schema:
        return f"`{schema['const']}`"
    if choices := schema.get("enum"):
        return " or ".join(f"`{choice}`" for choice in choices)
    kind = str(schema.get("type", ""))
    if kind == "array":
        return f"list of {_kind(schema.get('items', {})) or 'anything'}{_limits(schema)}"
    return kind + (f" ({schema['format']})" if "format" in schema else "") + _limits(schema)


def _limits(schema: Mapping[str, Any]) -> str:
    words = {
        "minimum": "at least",
        "maximum": "at most",
        "minLength": "at least this long:",
        "maxLength": "at most this long:",
        "minItems": "at least this many:",
        "maxItems": "at most this many:",
        "pattern": "matching",
    }
    told = [f"{word} `{schema[key]}`" for key, word in words.items() if key in schema]
    return f", {', '.join(told)}" if told else ""
