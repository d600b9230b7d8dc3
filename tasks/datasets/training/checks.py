"""What is wrong with a row: what makes a trainer fail or drop it, or teaches what nobody wants."""

from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training.contents import answers, prompt, text
from llmops.tasks.datasets.training.row import Message, Row
from llmops.tasks.datasets.training.structure import structure
from llmops.tasks.datasets.training.visible import hidden
from llmops.tasks.plugins.cleaners.near_duplicates import shingle_hashes, similarity, words
from llmops.tasks.plugins.scorers.refusal import refuses
from llmops.tasks.texts.comparable import folded, shown
from llmops.tasks.texts.language import detect

Count = Callable[[Sequence[Message], Row], int]
"""Tokens of a conversation of these messages under the target's chat template, the row's tools
included."""
FaultKind = Literal[
    "roles",
    "alternation",
    "tool_calls",
    "arguments",
    "empty",
    "copied",
    "refusal",
    "language",
    "length",
    "invisible",
    "cut",
    "identical_pair",
    "length_pair",
    "contradiction",
    "repeated_id",
]
SAME = 5
"""Words from which an answer that stands there a second time is copied: "Yes." may come twice."""


class RowRules(BaseModel):
    """What a row must keep to.

    `languages`: ISO 639-1 codes that answers may be in, none: all; an answer whose language is not
    sure passes. `most_tokens`: of a whole conversation, with either answer of a pair. `refusals`:
    answers may refuse. `copied`: an answer this similar to what was asked (Jaccard of runs of three
    words) is none. `invisible`: control and invisible characters may stand. `length_pairs`: of a
    pair, one answer may be the other with its end cut off.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")
    languages: tuple[str, ...] = ()
    most_tokens: int | None = Field(default=None, ge=1)
    refusals: bool = False
    copied: float = Field(default=0.9, gt=0, le=1)
    invisible: bool = False
    length_pairs: bool = False


class Fault(BaseModel):
    """Why a row is not trained on: a kind to count, and a sentence for a person."""

    model_config = ConfigDict(frozen=True)
    kind: FaultKind
    message: str


def faults(row: Row, rules: RowRules, count: Count | None = None) -> list[Fault]:
    """All that is wrong with a row by itself, none for one that may be trained on. Without `count`
    lengths are not looked at. What is wrong with rows beside each other: `conflicts`.
    """
    if row.cut or row.lineage.get("finish_reason") == "length":
        return [Fault(kind="cut", message="its source has cut a text short")]
    broken = [Fault(kind=kind, message=said) for kind, said in structure(row)]
    if broken:
        return broken
    found = [*_answered(row, rules), *_paired(row, rules)]
    if not rules.invisible:
        found += _invisible(row)
    if count is not None and rules.most_tokens is not None:
        found += _too_long(row, rules.most_tokens, count)
    return found


def _answered(row: Row, rules: RowRules) -> Iterator[Fault]:
    """What is wrong with what is to be learnt: the last answer, or the better one of a pair."""
    answer = answers(row)[0][-1]
    said = answer.content or ""
    if answer.tool_calls and not said.strip():
        return
    asked = [one for one in prompt(row) if one.role == "user"]
    if asked and _alike(said, text(asked[-1]), rules.copied):
        yield Fault(kind="copied", message=f"the answer repeats the question: {shown(said)!r}")
    elif _said_before(said, row):
        yield Fault(kind="copied", message=f"the answer stands there twice: {shown(said)!r}")
    if not rules.refusals and refuses(said):
        yield Fault(kind="refusal", message=f"the answer refuses: {shown(said)!r}")
    if rules.languages and (language := detect(said)) not in (None, *rules.languages):
        wanted = ", ".join(rules.languages)
        yield Fault(kind="language", message=f"the answer is in {language}; wanted: {wanted}")


def _alike(one: str, other: str, least: float) -> bool:
    """Whether runs of three words are so similar. A text has at most as many different runs as it
    has words, and at least as many as different words, less two: most texts are told apart by that.
    """
    if folded(one) == folded(other):
        return True
    shorter, longer = sorted((words(one), words(other)), key=len)
    if len(set(longer)) - 2 > len(shorter) / least:
        return False
    return similarity(shingle_hashes(one, 3), shingle_hashes(other, 3)) >= least


def _said_before(said: str, row: Row) -> bool:
    before = (one for one in prompt(row) if one.role == "assistant")
    return len(words(said)) >= SAME and any(folded(said) == folded(text(one)) for one in before)


def _paired(row: Row, rules: RowRules) -> Iterator[Fault]:
    if row.chosen is None or row.rejected is None:
        return
    chosen, rejected = (folded(" ".join(map(text, one))) for one in (row.chosen, row.rejected))
    if chosen == rejected:
        yield Fault(kind="identical_pair", message="both answers of the pair are the same")
        return
    shorter, longer = sorted((words(chosen), words(rejected)), key=len)
    if not rules.length_pairs and shorter and _begins(longer, shorter):
        more = len(longer) - len(shorter)
        said = f"of the pair, one answer is the other with its end cut off ({more} words)"
        yield Fault(kind="length_pair", message=said)


def _begins(longer: list[str], shorter: list[str]) -> bool:
    """Whether the longer one begins with the shorter one, which may end within a word."""
    last = len(shorter) - 1
    within = longer[last].startswith(shorter[last]) if last >= SAME - 1 else False
    return longer[:last] == shorter[:last] and (longer[last] == shorter[last] or within)


def _invisible(row: Row) -> Iterator[Fault]:
    names = hidden(row)
    if names:
        shown_names = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
        yield Fault(kind="invisible", message=f"it holds characters nobody sees: {shown_names}")


def _too_long(row: Row, most: int, count: Count) -> Iterator[Fault]:
    tokens = max(count([*prompt(row), *answer], row) for answer in answers(row))
    if tokens > most:
        yield Fault(kind="length", message=f"it has {tokens:,} tokens; at most {most:,} fit")
