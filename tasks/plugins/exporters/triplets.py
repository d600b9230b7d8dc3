"""Questions with a passage that answers and one that does not, for sentence-transformers."""

from collections.abc import Iterator, Mapping, Sequence

from pydantic import Field

from llmops.tasks.plugins.exporters import ColumnType, ExportContext, Exporter, ExportRecord, Unfit
from llmops.tasks.plugins.exporters._messages import only_text
from llmops.tasks.plugins.scorers import Passage
from llmops.tasks.rows import Row
from llmops.tasks.texts.terms import analyse

PAIRS = "pairs"


class TripletsExporter(Exporter):
    """Columns in the order that the library counts: anchor, positive, negative. The negative is the
    worse answer of a pair, else mined from `knowledge_base`: the best passages for the question,
    without those of the documents that answer it, and without false negatives: whatever holds more
    than `alike` of the words of the positive. `negatives`: of one question, from the `depth` best.
    Rows without a negative go into a file of their own, as columns may not be missing.
    """

    knowledge_base: str = ""
    negatives: int = Field(default=1, ge=1, le=20)
    depth: int = Field(default=30, ge=1, le=1000)
    alike: float = Field(default=0.6, gt=0, le=1)

    def columns(self, kind: str) -> Mapping[str, ColumnType]:
        return {
            "anchor": "text",
            "positive": "text",
            **({} if kind else {"negative": "text"}),
        }

    def records(self, row: Row, context: ExportContext) -> Iterator[ExportRecord]:
        anchor, positive, worse = self._texts(row)
        negatives = [worse] if worse else []
        if not negatives and self.knowledge_base:
            passages = context.search(self.knowledge_base, anchor, self.depth)
            negatives = self._mined(positive, answering(row.lineage), passages)
        for negative in negatives:
            yield ExportRecord({"anchor": anchor, "positive": positive, "negative": negative})
        if not negatives:
            yield ExportRecord({"anchor": anchor, "positive": positive}, PAIRS)

    def _texts(self, row: Row) -> tuple[str, str, str]:
        """(question, what answers it, what does not or "")."""
        only_text(row.messages)
        answers = row.chosen if row.chosen is not None else row.messages[-1:]
        if row.chosen is None and row.score is not None and row.score < self.least_score:
            raise Unfit("people found the answer bad")
        asked = [each.content or "" for each in row.messages if each.role == "user"]
        positive = answers[-1].content if answers and answers[-1].role == "assistant" else ""
        if not asked or not positive or not asked[-1].strip():
            raise Unfit("it has no question, or no answer in words")
        worse = row.rejected[-1].content if row.rejected else ""
        return asked[-1], positive, worse or ""

    def _mined(
        self, positive: str, answering: frozenset[str], passages: Sequence[Passage]
    ) -> list[str]:
        """The best passages that do not answer: hard negatives."""
        own = set(analyse(positive))
        found: dict[str, None] = {}
        for passage in passages:
            shared = len(own & set(analyse(passage.text))) / len(own) if own else 1.0
            if passage.uri not in answering and shared <= self.alike:
                found.setdefault(passage.text)
            if len(found) == self.negatives:
                break
        return list(found)

    def warnings(self, counts: Mapping[tuple[str, str], int]) -> Iterator[str]:
        if without := sum(n for (_, kind), n in counts.items() if kind == PAIRS):
            yield f"{without} questions have no negative: they are a file of their own"


def answering(lineage: Mapping[str, object]) -> frozenset[str]:
    """The documents that answer, as far as a row's lineage knows."""
    uris = lineage.get("uris")
    passages = lineage.get("passages")
    return frozenset(
        [
            str(lineage.get("uri", "")),
            *(map(str, uris) if isinstance(uris, list | tuple) else ()),
            *(
                str(each.get("uri", ""))
                for each in (passages if isinstance(passages, list | tuple) else ())
                if isinstance(each, Mapping)
            ),
        ]
    ) - {""}
