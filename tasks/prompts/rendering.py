"""From values to the texts that stand in a prompt, or every mistake at once."""

import json
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from llmops.tasks.errors import UsageError

if TYPE_CHECKING:
    from llmops.tasks.prompts import Prompt, Variable


def filled(prompt: "Prompt", values: Mapping[str, Any]) -> dict[str, str]:
    """The text of every variable that the messages use: texts as they are, other values as JSON, an
    optional variable that is left out as its default, else empty. Raises UsageError naming all
    missing, extra and mistyped ones."""
    declared, used = prompt.variables, prompt.names
    missing = [
        name
        for name in used
        if name not in values and not (name in declared and declared[name].optional)
    ]
    extra = sorted(set(values) - set(used))
    wrong = [
        f"{name} is {kind_of(values[name])}, {wanted(declared[name].type)} is wanted"
        for name in used
        if name in values and name in declared and not fits(values[name], declared[name].type)
    ]
    found = (
        [f"missing {', '.join(missing)}"] * bool(missing)
        + [f"not used: {', '.join(extra)}"] * bool(extra)
        + wrong
    )
    if found:
        raise UsageError(
            f"the variables of the prompt {prompt.name!r} do not fit: {'; '.join(found)}",
            hint=f"its variables: {', '.join(used) or 'none'}",
        )
    return {
        name: _text(name, values[name]) if name in values else _default(name, declared[name])
        for name in used
    }


def fits(value: object, kind: str) -> bool:
    """Whether a value is of a variable's type. True is no number, and 2.0 no integer."""
    if kind in ("number", "integer"):
        whole = isinstance(value, int) and not isinstance(value, bool)
        return whole or (kind == "number" and isinstance(value, float) and math.isfinite(value))
    return isinstance(
        value, {"string": str, "boolean": bool, "list": list | tuple, "object": Mapping}[kind]
    )


def kind_of(value: object) -> str:
    """What a value is, in the words of the types."""
    if value is None:
        return "null"
    known = ("string", "boolean", "integer", "number", "list", "object")
    return wanted(next((kind for kind in known if fits(value, kind)), type(value).__name__))


def wanted(kind: str) -> str:
    return f"{'an' if kind[0] in 'aeio' else 'a'} {kind}"


def _default(name: str, variable: "Variable") -> str:
    return "" if variable.default is None else _text(name, variable.default)


def _text(name: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        said = f"the variable {name!r} cannot be written as JSON: {error}"
        raise UsageError(said, hint="give texts, numbers, lists and objects") from error
