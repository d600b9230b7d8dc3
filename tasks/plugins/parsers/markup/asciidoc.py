"""AsciiDoc as Markdown: blocks of code as they stand, attributes where they are named."""

import re
from typing import Final

from llmops.tasks.plugins.parsers.markup.kept import STEM, KeptParts, fenced

HEADING: Final = re.compile(r"^(={1,6})[ \t]+(?=\S)", re.MULTILINE)
DROPPED: Final = re.compile(
    r"^(?::[\w!-]+:.*|\[[^\]\n]*\]|//.*|\+|[-.=_*]{4,})[ \t]*\n", re.MULTILINE
)
MACRO: Final = re.compile(r"(?:image|btn|kbd|menu|link|xref|include)::?[^\s\[]*\[([^\]]*)\]")
NUMBER: Final = re.compile(r"^\.[ \t]+(?=\S)", re.MULTILINE)
DELIMITER: Final = re.compile(r"(-{4,}|\.{4,}|/{4,}|`{3,})(\w*)[ \t]*\Z")
STYLE: Final = re.compile(r"\[(?:source|,)\s*,?\s*(?:%\w+,)?\s*([\w+#-]*)")
LABEL: Final = re.compile(r"\[(NOTE|TIP|WARNING|CAUTION|IMPORTANT)\b[^\]]*\][ \t]*\Z")
ATTRIBUTE: Final = re.compile(r":([A-Za-z0-9_][\w-]*):[ \t]+(\S.*)")
NAMED: Final = re.compile(r"(?<!\\)\{([A-Za-z0-9_][\w-]*)\}")
LONGEST_VALUE: Final = 500
MOST_GROWTH: Final = 200_000
"""Characters that values may add; what asks for more stays as it is written."""
BLOCK_MARK: Final = re.compile(r"[=_*]{4,}[ \t]*\Z|\.\S")


def markdown(source: str, kept: KeptParts) -> str:
    """The source as Markdown, whose code `kept` puts back."""
    text = _blocks(source, kept)
    text = MACRO.sub(r"\1", NUMBER.sub("1. ", DROPPED.sub("", text)))
    return HEADING.sub(lambda match: "#" * len(match[1]) + " ", text)


def _blocks(source: str, kept: KeptParts) -> str:
    """The text without comments, with code as words, names as their values, labels as text."""
    lines, made, values = source.split("\n"), list[str](), dict[str, str]()
    last = {line.rstrip(): place for place, line in enumerate(lines)}
    end, begin, language, label, room = "", 0, "", "", MOST_GROWTH
    for place, line in enumerate(lines):
        if end:
            if line.rstrip() == end:
                code = "\n".join(lines[begin:place])
                made.append("" if end[0] == "/" else kept.block(fenced(code, language)))
                end, language = "", ""
        elif (mark := DELIMITER.match(line)) and last.get(mark[1], 0) > place and _is_block(made):
            end, begin, language = mark[1], place + 1, mark[2] or language
        elif name := ATTRIBUTE.match(line):
            values[name[1]] = name[2].strip()[:LONGEST_VALUE]
        elif named := LABEL.match(line):
            label = named[1].capitalize()
        else:
            shown = STYLE.match(line)
            language = shown[1].lower() if shown else language if BLOCK_MARK.match(line) else ""
            named_line = NAMED.sub(lambda each: values.get(each[1], each[0]), line)
            room -= max(0, len(named_line) - len(line))
            line = named_line if room > 0 else line
            if label and line.strip() and not BLOCK_MARK.match(line):
                line, label = f"{label}: {line}", ""
            made.append(line)
    return "\n".join(made)


def _is_block(before: list[str]) -> bool:
    """Whether a line of dashes opens a block: below a line of text it marks a title."""
    above = before[-1].rstrip() if before else ""
    return not above or above == "+" or above[0] in "[." or above.startswith(STEM)
