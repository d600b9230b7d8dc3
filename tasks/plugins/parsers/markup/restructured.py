"""reStructuredText made ready for the reader, which leaves out what stands behind the name of a
directive: signatures, versions, titles.
"""

import re
from typing import Final

DIRECTIVE: Final = re.compile(r"([ \t]*)\.\. (?:[\w]+:)?([\w-]+)::(?:[ \t]+(\S.*))?[ \t]*\Z")
SIGNED: Final = {
    *("function", "method", "classmethod", "staticmethod", "class", "attribute", "property"),
    *("data", "exception", "option", "cmdoption", "envvar", "confval", "macro", "type", "setting"),
    *("decorator", "module", "describe", "object", "member", "var", "struct", "enum"),
}
VERSIONS: Final = {
    "deprecated": "Deprecated",
    "versionadded": "Added",
    "versionchanged": "Changed",
    "versionremoved": "Removed",
}
TITLED: Final = {"admonition", "topic", "sidebar", "rubric", "csv-table", "list-table", "table"}
ADMONITIONS: Final = {
    *("note", "warning", "tip", "hint", "important", "caution", "danger", "error", "attention"),
    "seealso",
}
LITERAL: Final = {
    *("code-block", "code", "sourcecode", "parsed-literal", "literalinclude", "raw", "math"),
    *("productionlist", "prompt", "highlight", "testcode", "testoutput", "doctest"),
}
REPLACED: Final = re.compile(
    r"^[ \t]*\.\. \|([^|\n]{1,100})\| replace::[ \t]+(\S.*)$", re.MULTILINE
)
NAMED: Final = re.compile(r"\|([^|\s](?:[^|\n]{0,98}[^|\s])?)\|")
LONGEST_VALUE: Final = 500
MOST_GROWTH: Final = 200_000
"""Characters that substitutions may add; what asks for more stays as it is written."""


def ready(source: str) -> str:
    """The source for the reader. Literal blocks stay as they are."""
    values = {each[1]: each[2].strip()[:LONGEST_VALUE] for each in REPLACED.finditer(source)}
    lines, made = source.split("\n"), list[str]()
    margin, is_doctest, room = -1, False, MOST_GROWTH
    for place, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if margin >= 0 and (not line.strip() or indent > margin):
            made.append(line)
            continue
        margin = -1
        if line.lstrip().startswith(">>> ") and not is_doctest:
            is_doctest = True
            made += ["", f"{line[:indent]}.. code-block:: python", ""]
        if is_doctest and line.strip():
            made.append(f"   {line}")
            continue
        is_doctest = False
        shown = DIRECTIVE.match(line)
        if (shown and shown[2] in LITERAL) or (not shown and line.rstrip().endswith("::")):
            margin = indent
        named = NAMED.sub(lambda each: values.get(each[1], each[0]), line) if values else line
        room -= max(0, len(named) - len(line))
        below = lines[place + 1] if place + 1 < len(lines) else ""
        made += _told(shown, line, below) if shown else [named if room > 0 else line]
    return "\n".join(made)


def _told(shown: re.Match[str], line: str, below: str) -> list[str]:
    """The lines of a directive, with what stands behind its name as text."""
    margin, name, said = shown[1], shown[2], (shown[3] or "").strip()
    if said and name in SIGNED:
        return [f"{margin}``{said}``", "", line]
    if said and name in VERSIONS:
        return [f"{margin}{VERSIONS[name]}: {said}", "", line]
    if said and name in TITLED:
        return [f"{margin}**{said}**", "", line]
    if said and name in ADMONITIONS:
        deeper = below[: len(below) - len(below.lstrip())] if below.strip() else ""
        inner = deeper if len(deeper) > len(margin) else f"{margin}   "
        return [f"{margin}.. {name}::", "", f"{inner}{said}"]
    return [line]
