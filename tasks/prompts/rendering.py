"""From values to the texts that stand in a prompt, or every mistake at once."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Protocol

from llmops.tasks.errors import UsageError


class Declared(Protocol):
    """What a prompt says of a variable."""

    @property
    def type(self) -> str: ...
    @property
    def default(self) -> object: ...
    @property
    def optional(self) -> bool: ...


def filled(
    name: str, declared: Mapping[str, Declared], used: Sequence[str], values: Mapping[str, object]
) -> dict[str, str]:
    """The text of every variable that the messages use: texts as they are, other values as JSON, an
    optional variable that is left out as its default, else empty. Raises UsageError naming all
    missing, extra and mistyped ones."""
    missing = [
        each
        for each in used
        if each not in values and not (each in declared and declared[each].optional)
    ]
    extra = sorted(set(values) - set(used))
    wrong = [
        f"{each} is {kind_of(values[each])}, {wanted(declared[each].type)} is wanted"
        for each in used
        if each in values and each in declared and not fits(values[each], declared[each].type)
    ]
    mistakes = (
        [f"missing {', '.join(missing)}"] * bool(missing)
        + [f"not used: {', '.join(extra)}"] * bool(extra)
        + wrong
    )
    if mistakes:
        raise UsageError(
            f"the variables of the prompt {name!r} do not fit: {'; '.join(mistakes)}",
            hint=f"its variables: {', '.join(used) or 'none'}",
        )
    given = {each: values[each] if each in values else declared[each].default for each in used}
    return {
        each: "" if value is None and each not in values else _text(each, value)
        for each, value in given.items()
    }


def numbered(passages: Iterable[tuple[str, str, str]]) -> str:
    """Passages (title, uri, text) as a model is shown them: numbered blocks with an empty line
    between them, `[1] title`, or the last part of the uri, and the text in the lines below.
    """
    return "\n\n".join(
        f"[{number}] {' '.join(title.split()) or uri.rstrip('/').rpartition('/')[2]}".rstrip()
        + f"\n{text.strip()}"
        for number, (title, uri, text) in enumerate(passages, 1)
    )


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


def _text(name: str, value: object) -> str:
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    except (TypeError, ValueError) as error:
        said = f"the variable {name!r} cannot be written as JSON: {error}"
        raise UsageError(said, hint="give texts, numbers, lists and objects") from error
