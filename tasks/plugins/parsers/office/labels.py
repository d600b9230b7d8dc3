"""The labels of headings and items of lists in Markdown."""

import re
from typing import Final

LABEL: Final = "\ue002{}\ue003"
"""Stands before the text of a paragraph until its label takes the place (characters that no font
has).
"""
LABELLED: Final = re.compile(
    "(?P<indent>[ ]*)(?P<item>(?:[0-9]+[.]|-)[ ])?\ue002(?P<label>[^\ue002\ue003]*)\ue003[ ]?"
)
ANY: Final = re.compile("\ue002([^\ue002\ue003\n]*)\ue003 ?")
MARKDOWN: Final = re.compile(r"\d{1,9}\.|-")


def with_labels(text: str) -> str:
    """The text with labels at their marks. An item whose label is none of Markdown is a paragraph
    of its own.
    """
    if LABEL[0] not in text:
        return text
    lines, apart = list[str](), False
    for line in text.split("\n"):
        item = LABELLED.match(line)
        if item is None:
            line = ANY.sub(lambda mark: f"{mark[1]} ".lstrip(), line)
            own = False
        else:
            label = item["label"] or ("-" if item["item"] else "")
            own = not MARKDOWN.fullmatch(label)
            indent = item["indent"][:3] if own else item["indent"]
            line = f"{indent}{label} {ANY.sub('', line[item.end() :])}"
        lines += [""] if (own or apart) and line.strip() and lines and lines[-1].strip() else []
        lines.append(line)
        apart = own
    return "\n".join(lines)
