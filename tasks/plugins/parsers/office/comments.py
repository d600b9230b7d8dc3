"""Comments in Office and OpenDocument files: who said what of which words, cell or slide."""

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from itertools import chain
from typing import TYPE_CHECKING, Final, NamedTuple

from llmops.tasks.plugins.parsers._containers import Package
from llmops.tasks.plugins.parsers.office.elements import (
    child,
    children,
    local,
    named,
    number,
    text_of,
    value,
)

if TYPE_CHECKING:
    from lxml import etree

QUOTED: Final = 120
"""Characters of the words that a comment is attached to."""
MOST: Final = 5000
"""Comments of a document, sheet or slide that are read."""
HEADING: Final = "Comments"
Roots = Mapping[str, "etree._Element"]


class Comment(NamedTuple):
    """A comment. `place`: what it is attached to, as a person would say it; `reply_to`: whose
    comment it answers; `date`: the day. All but the text may be empty.
    """

    text: str
    author: str = ""
    date: str = ""
    place: str = ""
    reply_to: str = ""

    @property
    def line(self) -> str:
        """One paragraph that can be cited by itself."""
        who = self.author or "Comment"
        if self.reply_to:
            who += f", in reply to {self.reply_to},"
        on = f" on {self.place}" if self.place else ""
        day = f" ({self.date[:10]})" if self.date else ""
        return f"{who}{on}{day}: {' '.join(self.text.split())}"


def section(comments: Sequence[Comment], level: int) -> str:
    """Comments below a heading of their own; "" where none says anything."""
    lines = [comment.line for comment in comments[:MOST] if comment.text.strip()]
    return "\n\n".join([f"{'#' * level} {HEADING}", *lines]) if lines else ""


def quoted(text: str) -> str:
    """Words that a comment is attached to, in quotation marks; "" for none."""
    words = " ".join(text.split())
    cut = words if len(words) <= QUOTED else f"{words[:QUOTED].rsplit(' ', 1)[0]} …"
    return f"“{cut}”" if words else ""


class Anchors:
    """Collects the words between the beginning and the end of each comment's range."""

    def __init__(self) -> None:
        self._open: dict[str, list[str]] = {}
        self._words: dict[str, list[str]] = {}

    def begin(self, name: str) -> None:
        self._open[name] = self._words.setdefault(name, [])

    def end(self, name: str) -> None:
        self._open.pop(name, None)

    def say(self, text: str) -> None:
        """A piece of the text. What has enough words already takes no more."""
        if not text:
            return
        for name, words in list(self._open.items()):
            words.append(text)
            if sum(map(len, words)) > 2 * QUOTED:
                self.end(name)

    def of(self, name: str) -> str:
        return quoted("".join(self._words.get(name, ())))


def word_comments(package: Package, roots: Roots) -> list[Comment]:
    """The comments of a Word file in the order of their marks, each followed by its replies. What
    has no mark is shown by no program, and left out.
    """
    part = "word/comments.xml"
    if part not in package.names:
        return []
    comments = {
        value(each, "id") or "": each for each in named(package.xml(part), "comment")[:MOST]
    }
    places = dict(chain.from_iterable(_marked(root) for root in roots.values()))
    parents = _parents(package, comments)
    threads: dict[str, list[str]] = {}
    for name in (name for name in places if name in comments):
        threads.setdefault(parents.get(name, name), []).append(name)
    said = []
    for first, names in threads.items():
        for name in names:
            answered = value(comments[first], "author") or "a comment" if name != first else ""
            said.append(
                Comment(
                    text=text_of(comments[name]),
                    author=value(comments[name], "author") or "",
                    date=value(comments[name], "date") or "",
                    place=places[name] or places.get(first, ""),
                    reply_to=answered,
                )
            )
    return said


def _marked(root: "etree._Element") -> Iterator[tuple[str, str]]:
    """(comment, what it is attached to): the words of its range, else those of its paragraph."""
    anchors = Anchors()
    marks: list[etree._Element] = []
    kinds = ("commentRangeStart", "commentRangeEnd", "commentReference", "t", "p", "tab", "br")
    for each in named(root, *kinds):
        kind = each.tag.rpartition("}")[2]
        if kind == "commentReference":
            marks.append(each)
        elif kind == "commentRangeStart":
            anchors.begin(value(each, "id") or "")
        elif kind == "commentRangeEnd":
            anchors.end(value(each, "id") or "")
        else:
            anchors.say((each.text or "") if kind == "t" else " ")
    for mark in marks[:MOST]:
        name = value(mark, "id") or ""
        paragraph = next(mark.iterancestors("{*}p"), None)
        around = quoted(text_of(paragraph)) if paragraph is not None else ""
        yield name, anchors.of(name) or around


def _parents(package: Package, comments: Roots) -> dict[str, str]:
    """Reply -> the comment that it answers."""
    part = "word/commentsExtended.xml"
    if part not in package.names:
        return {}
    owner = {
        value(paragraph, "paraId"): name
        for name, comment in comments.items()
        for paragraph in named(comment, "p")
    }
    links = (
        (owner.get(value(each, "paraId")), owner.get(value(each, "paraIdParent")))
        for each in named(package.xml(part), "commentEx")
    )
    return {reply: parent for reply, parent in links if reply and parent}


def sheet_comments(package: Package, book: str, sheet: str) -> list[Comment]:
    """The comments and notes of a sheet (names of parts), each with its cell."""
    parts = [
        (kind, part) for kind, part in package.related(sheet).values() if part in package.names
    ]
    threads = [part for kind, part in parts if kind == "threadedComment"]
    notes = [part for kind, part in parts if kind == "comments"]
    if not threads and not notes:
        return []
    threaded = [each for part in threads for each in named(package.xml(part), "threadedComment")]
    people = _names(package, book, "person", "person", "displayName")
    by_id = {value(each, "id"): each for each in threaded}
    said: list[tuple[str, Comment]] = []
    for each in threaded[:MOST]:
        parent = by_id.get(value(each, "parentId"))
        answered = people.get(value(parent, "personId") or "", "a comment")
        comment = Comment(
            text=_own_text(child(each, "text")),
            author=people.get(value(each, "personId") or "", ""),
            date=value(each, "dT") or "",
            reply_to=answered if parent is not None else "",
        )
        said.append((value(each, "ref") or "", comment))
    told = {cell for cell, _ in said}  # what is threaded stands once more as a note
    said += [note for part in notes for note in _notes(package.xml(part)) if note[0] not in told]
    values = _cells(package, book, sheet, {cell for cell, _ in said})
    return [
        comment._replace(place=" ".join(filter(None, (cell, quoted(values.get(cell, ""))))))
        for cell, comment in said
    ]


def _notes(root: "etree._Element") -> Iterator[tuple[str, Comment]]:
    """(cell, note) of the older kind; its author often stands once more before its text."""
    authors = [author.text or "" for author in named(root, "author")]
    for each in named(root, "comment")[:MOST]:
        place = value(each, "authorId") or ""
        known = place.isdecimal() and int(place) < len(authors)
        author = authors[int(place)].strip() if known else ""
        body = child(each, "text")
        text = "".join(piece.text or "" for piece in named(body, "t")) if body is not None else ""
        text = text.strip().removeprefix(f"{author}:") if author else text
        yield value(each, "ref") or "", Comment(text, author)


def _cells(package: Package, book: str, sheet: str, wanted: set[str]) -> dict[str, str]:
    """The values of some cells as they are stored."""
    cells = {
        ref: cell
        for cell in named(package.xml(sheet), "c")
        if (ref := value(cell, "r") or "") in wanted
    }
    listed = next(
        (
            part
            for kind, part in package.related(book).values()
            if kind == "sharedStrings" and part in package.names
        ),
        None,
    )
    shared = any(value(cell, "t") == "s" for cell in cells.values()) and listed
    strings = children(package.xml(listed), "si") if shared and listed else []
    values = {}
    for ref, cell in cells.items():
        text = _own_text(child(cell, "v")) or text_of(cell)
        if value(cell, "t") == "s":
            known = text.isdecimal() and int(text) < len(strings)
            text = text_of(strings[int(text)]) if known else ""
        values[ref] = text
    return values


def slide_comments(package: Package, show: str, slide: str, number: int) -> list[Comment]:
    """The comments of a slide (names of parts), older and newer kind."""
    parts = [
        part
        for kind, part in package.related(slide).values()
        if kind == "comments" and part in package.names
    ]
    if not parts:
        return []
    people = _names(package, show, "commentAuthors", "cmAuthor", "name")
    people |= _names(package, show, "authors", "author", "name")
    said: list[Comment] = []
    for part in parts:
        for each in named(package.xml(part), "cm")[:MOST]:
            first = _slide_comment(each, people, f"slide {number}", "")
            said.append(first)
            said += [
                _slide_comment(reply, people, f"slide {number}", first.author or "a comment")
                for reply in named(each, "reply")
            ]
    return said


def _slide_comment(
    element: "etree._Element", people: Mapping[str, str], place: str, reply_to: str
) -> Comment:
    body = child(element, "txBody")
    text = text_of(body) if body is not None else _own_text(child(element, "text"))
    return Comment(
        text=text,
        author=people.get(value(element, "authorId") or "", ""),
        date=value(element, "dt") or value(element, "created") or "",
        place=place,
        reply_to=reply_to,
    )


def _names(package: Package, of: str, kind: str, tag: str, attribute: str) -> dict[str, str]:
    """The names of those who commented, by id: of a part of that kind, related to another."""
    return {
        value(each, "id") or "": value(each, attribute) or ""
        for found, part in package.related(of).values()
        if found == kind and part in package.names
        for each in named(package.xml(part), tag)
    }


def _own_text(element: "etree._Element | None") -> str:
    return (element.text or "") if element is not None else ""


def text_annotations(content: "etree._Element") -> list[Comment]:
    """The comments of an OpenDocument text, each with the words of its range, else those of its
    paragraph.
    """
    from lxml import etree

    anchors = Anchors()
    marks: list[etree._Element] = []
    walk = etree.iterwalk(content, events=("start", "end"))
    for event, element in walk:
        kind = local(element)
        if event == "end":
            anchors.say(element.tail or "")
            anchors.say(" " if kind in ("p", "h") else "")
        elif kind == "annotation":
            marks.append(element)
            anchors.begin(value(element, "name") or "")
            walk.skip_subtree()
        elif kind == "annotation-end":
            anchors.end(value(element, "name") or "")
        else:
            anchors.say(element.text or "")
    return [
        _annotation(mark, anchors.of(name) if (name := value(mark, "name")) else _around(mark))
        for mark in marks[:MOST]
    ]


def _around(mark: "etree._Element") -> str:
    """The words of the paragraph in which a comment stands."""
    paragraph = next(mark.iterancestors("{*}p", "{*}h"), None)
    if paragraph is None:
        return ""
    alone = deepcopy(paragraph)
    for each in named(alone, "annotation"):
        each.text = None
        for inner in list(each):
            each.remove(inner)
    return quoted("".join(alone.itertext()))


def table_annotations(table: "etree._Element") -> list[Comment]:
    """The comments of an OpenDocument sheet, each with its cell."""
    said, line = list[Comment](), 0
    for row in named(table, "table-row"):
        column = 0
        for cell in children(row, "table-cell", "covered-table-cell"):
            for mark in children(cell, "annotation"):
                shown = children(cell, "p")
                words = quoted(" ".join("".join(each.itertext()) for each in shown))
                place = f"{column_letters(column + 1)}{line + 1}"
                said.append(_annotation(mark, " ".join(filter(None, (place, words)))))
            column += number(value(cell, "number-columns-repeated"), 1)
        line += number(value(row, "number-rows-repeated"), 1)
    return said


def page_annotations(page: "etree._Element", slide: int) -> list[Comment]:
    """The comments of an OpenDocument slide."""
    return [_annotation(mark, f"slide {slide}") for mark in named(page, "annotation")[:MOST]]


def _annotation(mark: "etree._Element", place: str) -> Comment:
    paragraphs = ("".join(each.itertext()) for each in named(mark, "p"))
    return Comment(
        text=" ".join(paragraphs),
        author=_own_text(child(mark, "creator")),
        date=_own_text(child(mark, "date")),
        place=place,
    )


def column_letters(column: int) -> str:
    """The name of a column, from 1: A is 1, AA is 27."""
    letters = ""
    while column:
        column, rest = divmod(column - 1, 26)
        letters = chr(ord("A") + rest) + letters
    return letters
