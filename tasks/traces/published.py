"""Published data sets of training rows: which of them hold rows of what was deleted since, and what
was trained on them. They are named, and not taken back.
"""

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from llmops.tasks.traces.trained import models_of, rankings_of_deleted, rankings_of_documents
from llmops.tasks.traces.written import gone_people, gone_traces

LINEAGE = "lineage.jsonl"
"""In each version of a data set: a line for every row, without its texts."""
BLOCK = 5_000
Versions = dict[tuple[str, int], int]
"""Name and version of a data set -> rows."""
HOLDING = "published data sets hold rows that"
ANEW = (
    "the next `llmops finetune` leaves them out, and these versions are for you to remove, once "
    "nothing is trained on them any more"
)
MODELS = (
    "models were trained on these versions and may know what was in them; train them again on the "
    "next version, put that one in their place, then remove the folder in LLMOPS_HOME/trainings, "
    "the run in MLflow, and the model where it is served"
)
RANKINGS = (
    "rankings learnt from it: order alone, no texts; `llmops train CONFIG` trains one without it, "
    "and questions may stand in the report of their runs in MLflow, for you to remove"
)


class RowOrigin(NamedTuple):
    """What a row is made of."""

    trace_id: str
    people: tuple[str, ...]
    knowledge_base: str
    uris: frozenset[str]


def origin_of(lineage: Mapping[str, object]) -> RowOrigin:
    """Of the lineage of a row, which may say anything."""
    passages = [each for each in _listed(lineage.get("passages")) if isinstance(each, Mapping)]
    uris = [lineage.get("uri"), *_listed(lineage.get("uris")), *(p.get("uri") for p in passages)]
    return RowOrigin(
        trace_id=str(lineage.get("trace_id") or ""),
        people=tuple(map(str, _listed(lineage.get("reviewers")))),
        knowledge_base=str(lineage.get("knowledge_base") or ""),
        uris=frozenset(str(each) for each in uris if each),
    )


def _listed(value: object) -> Collection[object]:
    return value if isinstance(value, list | tuple) else ()


def told_of_document(home: Path, knowledge_base: str, uris: Mapping[str, str]) -> list[str]:
    """What there is to say of a document that is erased. `uris`: all that it had, each with its
    hash.
    """
    found = holding_document(home, knowledge_base, uris)
    return [
        *_told(f"{HOLDING} rest on it, in which it is blacked out where it is quoted", found),
        *_told(MODELS, models_of(home, found)),
        *_told(RANKINGS, rankings_of_documents(home, knowledge_base, uris.values())),
    ]


def told_of_deleted(home: Path) -> list[str]:
    """What there is to say of traces and people that were deleted."""
    found = holding_deleted(home)
    return [
        *_told(f"{HOLDING} are of what was deleted", found),
        *_told(MODELS, models_of(home, found)),
        *_told(RANKINGS, rankings_of_deleted(home)),
    ]


def _told(what: str, found: Versions | list[str]) -> list[str]:
    if not found:
        return []
    if isinstance(found, list):
        return [f"{what}: {', '.join(found)}"]
    names = [f"{name} v{version}: {rows} rows" for (name, version), rows in found.items()]
    return [f"{what}; {ANEW}: {', '.join(names)}"]


def holding_document(home: Path, knowledge_base: str, uris: Collection[str]) -> Versions:
    """The versions with rows that rest on a document."""

    def mine(origins: list[RowOrigin]) -> int:
        return sum(
            each.knowledge_base == knowledge_base and bool(each.uris.intersection(uris))
            for each in origins
        )

    return _counted(home, mine)


def holding_deleted(home: Path) -> Versions:
    """The versions with rows of traces that were deleted, or of people who were."""

    def gone(origins: list[RowOrigin]) -> int:
        lost = gone_traces(home, {each.trace_id for each in origins if each.trace_id})
        nobody = gone_people(home, {who for each in origins for who in each.people})
        return sum(
            each.trace_id in lost or bool(nobody.intersection(each.people)) for each in origins
        )

    return _counted(home, gone)


def _counted(home: Path, count: Callable[[list[RowOrigin]], int]) -> Versions:
    found = {}
    for file in sorted((home / "datasets").glob(f"*/v*/{LINEAGE}")):
        folder, number = file.parent, file.parent.name.removeprefix("v")
        if number.isdecimal() and (rows := sum(count(block) for block in _blocks(file))):
            found[folder.parent.name, int(number)] = rows
    return found


def _blocks(file: Path) -> Iterator[list[RowOrigin]]:
    block: list[RowOrigin] = []
    with file.open(encoding="utf-8") as lines:
        for line in lines:
            content = json.loads(line)
            block.append(origin_of(content.get("lineage", {})))
            if len(block) == BLOCK:
                yield block
                block = []
    if block:
        yield block
