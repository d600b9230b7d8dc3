"""A value that follows a JSON schema, for a model that writes no JSON itself."""

from collections.abc import Mapping, Sequence
from typing import Any


def filled(schema: Mapping[str, Any], text: str, numbers: Sequence[int]) -> object:
    """`text` in the first property that takes any text, `numbers` in lists of whole numbers; the
    rest as small as the schema allows.
    """
    return _Filling(schema, text, numbers).value(schema)


class _Filling:
    def __init__(self, root: Mapping[str, Any], text: str, numbers: Sequence[int]) -> None:
        self.root, self.text, self.numbers = root, text, list(numbers)
        self.used = False

    def value(self, schema: Mapping[str, Any], depth: int = 0) -> object:
        schema = self._resolved(schema)
        if "const" in schema or "enum" in schema:
            return schema.get("const", next(iter(schema.get("enum", [])), None))
        if depth > 20:
            return None  # a schema that holds itself
        kind = self._kind(schema)
        if kind == "string":
            return self._text()
        if kind == "object":
            return {
                name: self.value(part, depth + 1)
                for name, part in schema.get("properties", {}).items()
            }
        return self._list(schema, depth) if kind == "array" else self._scalar(schema, kind)

    def _text(self) -> str:
        self.used, first = True, not self.used
        return self.text if first else ""

    def _list(self, schema: Mapping[str, Any], depth: int) -> Sequence[object]:
        items = self._resolved(schema.get("items") or {})
        if self._kind(items) == "integer":
            return self.numbers
        least = schema.get("minItems", 0) or int(self._kind(items) == "string" and not self.used)
        return [self.value(items, depth + 1) for _ in range(least)]

    @staticmethod
    def _scalar(schema: Mapping[str, Any], kind: str) -> object:
        least = schema.get("minimum", min(0, schema.get("maximum", 0)))
        return {"boolean": True, "null": None, "integer": int(least), "number": float(least)}.get(
            kind
        )

    @staticmethod
    def _kind(schema: Mapping[str, Any]) -> str:
        kind = schema.get("type", "object" if "properties" in schema else "string")
        return (
            next((one for one in kind if one != "null"), "null")
            if isinstance(kind, list)
            else str(kind)
        )

    def _resolved(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        """Follows `#/$defs/Name`, and takes the first of several choices."""
        for _ in range(20):
            choices = schema.get("anyOf") or schema.get("oneOf") or schema.get("allOf")
            if isinstance(schema.get("$ref"), str):
                found: Any = self.root
                for part in schema["$ref"].removeprefix("#").strip("/").split("/"):
                    found = found.get(part, {}) if part else found
                schema = found
            elif choices:
                schema = choices[0]
            else:
                break
        return schema
