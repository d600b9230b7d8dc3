"""Questions of the gate that documents have left behind: they come from feedback, and the sentence
that they rest on stands in the live version and not in the candidate. No search is to blame for
that; the feedback flow puts a correction to people again once the candidate is live.
"""

from collections.abc import Collection, Iterable, Sequence

from llmops.tasks.plugins.stores import StoreReader
from llmops.tasks.retrieval.golden import Question, normalise
from llmops.tasks.retrieval.measure import Measurement, metric_name
from llmops.tasks.schemas import records


def left_behind(
    questions: Sequence[Question],
    before: Measurement,
    after: Measurement,
    live: StoreReader,
    candidate: StoreReader,
) -> tuple[str, ...]:
    """Their ids. Only what got worse is looked at: a build that loses nothing reads nothing."""
    worse = _worse(before, after)
    asked = [
        each
        for each in questions
        if each.id in worse
        and each.lineage is not None
        and any(item.quote for item in each.relevant)
    ]
    if not asked:
        return ()
    uris = {item.uri for each in asked for item in each.relevant}
    old, new = _texts(live, uris), _texts(candidate, uris)
    return tuple(each.id for each in asked if _stands(each, old) and not _stands(each, new))


def _worse(before: Measurement, after: Measurement) -> set[str]:
    name = metric_name("recall", after.k)
    pairs = zip(after.questions, before.first.values[name], after.first.values[name], strict=True)
    return {asked.id for asked, old, new in pairs if new < old}


def _texts(reader: StoreReader, uris: Collection[str]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for frame in reader.rows(["uri", "text"]):
        for row in records(frame[frame["uri"].isin(sorted(uris))]):
            found.setdefault(str(row["uri"]), []).append(normalise(str(row["text"])))
    return found


def _stands(question: Question, texts: dict[str, list[str]]) -> bool:
    """Whether one of its quotes is in a passage of its document."""
    quotes: Iterable[tuple[str, str]] = (
        (item.uri, normalise(item.quote)) for item in question.relevant if item.quote
    )
    return any(quote in text for uri, quote in quotes for text in texts.get(uri, ()))
