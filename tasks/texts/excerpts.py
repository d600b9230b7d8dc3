"""The beginning of a passage in one line, for lists that people read."""

from llmops.tasks.texts.sentences import sentences

MOST = 300
LEFT_OUT = "…"
CONTINUES = frozenset(",;:.!?)]}»”’、。，；：！？）」』")
"""No sentence begins with one of these."""


def excerpt(text: str, most: int = MOST, *, inside: bool = True) -> str:
    """At most `most` characters, white space in one piece. A text that begins within a sentence is
    shown from its next one on, where not all of it has room, else after an ellipsis. It ends at a
    word. `inside`: something stands before it.
    """
    whole = " ".join(text.split())
    if not inside or not _within_sentence(whole):
        return _cut(whole, most)
    _, *rest = sentences(text)
    after = " ".join(" ".join(rest).split())
    if len(whole) + 2 > most and len(after) > most // 2:
        return _cut(after, most)
    return _cut(f"{LEFT_OUT} {whole.lstrip(''.join(CONTINUES)).lstrip()}", most)


def _within_sentence(text: str) -> bool:
    return text[:1].islower() or text[:1] in CONTINUES


def _cut(text: str, most: int) -> str:
    """Up to a word's end; within a run of letters that leaves no other place, as in Chinese, after
    any of them.
    """
    if len(text) <= most:
        return text
    head = text[: most - 2]
    if not text[most - 2].isspace():
        word = head.rfind(" ")
        head = head[:word] if word > most // 2 else head
    return f"{head.rstrip()} {LEFT_OUT}"
