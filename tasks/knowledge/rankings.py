"""Trained rankings: what was learnt on top of the frozen vectors of a knowledge base. They are
numbered and kept with what decided on them; a pointer says which one is live.

A ranking belongs to the knowledge base, not to a version: a new version keeps it while its embedder
is the same. For another embedder it says nothing, and is never applied.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import Connection, func, insert, select, update
from typing_extensions import TypedDict

from llmops.tasks.audit.log import Entry, append
from llmops.tasks.errors import Damaged, UsageError
from llmops.tasks.knowledge.handle import Handle, Version
from llmops.tasks.lake import lake_of
from llmops.tasks.ledger import now
from llmops.tasks.ledger.leases import aware
from llmops.tasks.ledger.tables import knowledge_bases, rankings
from llmops.tasks.plugins import Spec, digest
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.trainers.retrieval.adapter import from_bytes
from llmops.tasks.retrieval.hybrid import Searcher
from llmops.tasks.schemas import Vectors, sha256

FOLDER = "rankings"
NONE = 0
"""As `--to` of a rollback: back to the ranking that follows from the version alone."""


class NewRanking(BaseModel):
    """What was trained. `weight`: the share of the vectors in a hybrid search, None: as without a
    ranking; `embedder`: its fingerprint; `decision`: the figures, the verdict and why.
    """

    model_config = ConfigDict(frozen=True)
    version: int
    embedder: str
    dimension: int
    weight: float | None
    dataset_sha256: str
    decision: Mapping[str, object] = Field(default_factory=dict)
    mlflow_run_id: str | None = None
    prefect_run_id: str | None = None


class Ranking(NewRanking):
    """One as the ledger knows it. `status`: promoted, rejected or inconclusive; `model`: the
    adapter's file in the lake, None where the weight alone was learnt.
    """

    model_config = ConfigDict(frozen=True, extra="ignore", from_attributes=True)
    kb: str
    number: int
    status: str
    model: str | None
    model_sha256: str | None
    parent: int | None
    created_at: datetime
    promoted_at: datetime | None

    @property
    def fingerprint(self) -> str:
        """What the order of results depends on beside the version."""
        return digest(str(self.weight), self.model_sha256 or "")

    def refusal(self, embedder: Embedder) -> str:
        """Why it says nothing about these vectors; empty where it does."""
        if (embedder.query_fingerprint(), embedder.dimension) == (self.embedder, self.dimension):
            return ""
        return (
            f"ranking {self.number} of {self.kb!r} was trained for another embedder "
            f"({self.embedder}, {self.dimension} dimensions; now {embedder.query_fingerprint()}, "
            f"{embedder.dimension}) and is not applied"
        )


def keep(kb: Handle, new: NewRanking, status: str, model: bytes | None) -> Ranking:
    """Write it down under the next number; nothing becomes live by that."""
    path = f"{FOLDER}/{kb.name}/{sha256(model)}.safetensors" if model else None
    if path and model:
        kb.lake.write(path, model)
    mine = rankings.c.kb == kb.name
    with kb.ledger.write() as connection:
        number = (connection.scalar(select(func.max(rankings.c.number)).where(mine)) or 0) + 1
        row = new.model_dump(mode="json") | {
            "kb": kb.name,
            "number": number,
            "status": status,
            "model": path,
            "model_sha256": sha256(model) if model else None,
            "parent": _live(connection, kb.name),
            "created_at": now(),
        }
        connection.execute(insert(rankings).values(**row))
    return ranking_of(kb, number)


def recorded(kb: Handle, number: int, mlflow_run_id: str) -> None:
    """Where MLflow has it."""
    this = (rankings.c.kb == kb.name) & (rankings.c.number == number)
    with kb.ledger.write() as connection:
        connection.execute(update(rankings).where(this).values(mlflow_run_id=mlflow_run_id))


def promote(kb: Handle, number: int, reason: str = "") -> int | None:
    """Make one live, at once. Returns the number of the one before. Raises UsageError for one that
    was not promoted by a decision, or does not fit the live version's embedder.
    """
    return _point(kb, number, "promoted", reason)


def rollback(kb: Handle, to: int | None = None) -> tuple[int | None, int | None]:
    """Go back to the ranking before the live one, or to the promoted one `to` (0: to none). Returns
    (new, old). Raises UsageError where there is nothing to go back to.
    """
    live = live_ranking(kb)
    if live is None and to is None:
        raise UsageError(
            f"{kb.name!r} has no trained ranking: there is nothing to go back from",
            where=kb.name,
            hint="`llmops train CONFIG` trains one",
        )
    target = to if to is not None else live.parent if live else None
    return target or None, _point(kb, target or NONE, "rolled back", "")


def _point(kb: Handle, number: int, what: str, reason: str) -> int | None:
    if number:
        chosen = ranking_of(kb, number)
        if chosen.status != "promoted":
            raise UsageError(
                f"ranking {number} of {kb.name!r} was {chosen.status}: it can never go live",
                where=kb.name,
                hint=f"`llmops kb ranking {kb.name}` lists those that may",
            )
        applied_to(kb, chosen)
    with kb.ledger.write() as connection:
        before = _live(connection, kb.name)
        entry = Entry(
            action="rank",
            subject=f"ranking/{kb.name}",
            before=str(before or NONE),
            after=str(number),
            reason=reason or what,
        )
        append(connection, entry)
        mine = knowledge_bases.c.name == kb.name
        connection.execute(update(knowledge_bases).where(mine).values(ranking=number or None))
        this = (rankings.c.kb == kb.name) & (rankings.c.number == number)
        first = this & rankings.c.promoted_at.is_(None)
        connection.execute(update(rankings).where(first).values(promoted_at=now()))
    return before


def applied_to(kb: Handle, ranking: Ranking) -> None:
    """Raise UsageError where the live version has another embedder, Damaged where the file is not
    what was written.
    """
    if why := ranking.refusal(_embedder(kb.published())):
        raise UsageError(why, where=kb.name, hint="train it again: `llmops train CONFIG`")
    _adapter(kb.home, ranking)


def ranking_of(kb: Handle, number: int) -> Ranking:
    """Raises UsageError where there is none of that number."""
    this = (rankings.c.kb == kb.name) & (rankings.c.number == number)
    with kb.ledger.read() as connection:
        row = connection.execute(select(rankings).where(this)).one_or_none()
    if row is None:
        raise UsageError(
            f"{kb.name!r} has no ranking {number}",
            where=kb.name,
            hint=f"`llmops kb ranking {kb.name}` lists them",
        )
    return Ranking.model_validate(row)


def live_ranking(kb: Handle) -> Ranking | None:
    """The one that is live; None where there is none."""
    with kb.ledger.read() as connection:
        number = _live(connection, kb.name)
    return None if number is None else ranking_of(kb, number)


def listed(kb: Handle) -> list[Ranking]:
    """All of a knowledge base, newest first."""
    mine = select(rankings).where(rankings.c.kb == kb.name).order_by(rankings.c.number.desc())
    with kb.ledger.read() as connection:
        return [Ranking.model_validate(row) for row in connection.execute(mine)]


class RankingListed(TypedDict):
    """One in the list of `kb ranking`. `applies`: whether it fits the live version's embedder;
    `gain`: in nDCG@10, on documents that it was not trained on.
    """

    ranking: int
    status: str
    live: bool
    applies: bool
    note: str
    weight: float | None
    adapter: bool
    gain: float | None
    questions: int | None
    version: int
    fingerprint: str
    dataset_sha256: str
    model_sha256: str | None
    mlflow_run_id: str | None
    prefect_run_id: str | None
    created_at: str
    promoted_at: str | None


class RankingOverview(TypedDict):
    """The object of `kb ranking`. `ranking`: the one that is live."""

    knowledge_base: str
    ranking: int | None
    rankings: list[RankingListed]


def overview(kb: Handle) -> RankingOverview:
    """Raises UsageError where nothing is published."""
    live = kb.published()
    embedder = _embedder(live)
    return {
        "knowledge_base": kb.name,
        "ranking": live.ranking,
        "rankings": [_shown(each, live, embedder) for each in listed(kb)],
    }


def _shown(ranking: Ranking, live: Version, embedder: Embedder) -> RankingListed:
    note = ranking.refusal(embedder)
    served = _inside(ranking.decision, "figures", "served")
    gain, questions = _inside(served, "difference"), _inside(served, "questions")
    return {
        "ranking": ranking.number,
        "status": ranking.status,
        "live": ranking.number == live.ranking,
        "applies": not note,
        "note": note,
        "weight": ranking.weight,
        "adapter": ranking.model is not None,
        "gain": round(gain, 4) if isinstance(gain, float) else None,
        "questions": questions if isinstance(questions, int) else None,
        "version": ranking.version,
        "fingerprint": ranking.fingerprint,
        "dataset_sha256": ranking.dataset_sha256,
        "model_sha256": ranking.model_sha256,
        "mlflow_run_id": ranking.mlflow_run_id,
        "prefect_run_id": ranking.prefect_run_id,
        "created_at": aware(ranking.created_at).isoformat(),
        "promoted_at": aware(ranking.promoted_at).isoformat() if ranking.promoted_at else None,
    }


def _inside(value: object, *names: str) -> object:
    for name in names:
        value = value.get(name) if isinstance(value, Mapping) else None
    return value


def _embedder(version: Version) -> Embedder:
    return Spec.model_validate(version.config["embed"]).build(Embedder)


def ranked(kb: Handle, number: int | None, plain: Searcher) -> Searcher:
    """The searcher with the ranking of that number; as it is for None, and where the ranking does
    not fit its embedder. Raises Damaged where the model's file is not what was written.
    """
    if number is None:
        return plain
    ranking = ranking_of(kb, number)
    if ranking.refusal(plain.embedder):
        return plain
    weight = plain.weight if ranking.weight is None else ranking.weight
    return replace(plain, weight=weight, adapter=_adapter(kb.home, ranking))


def unfit(kb: Handle) -> list[str]:
    """A warning where a ranking is live that the live version does not rank by."""
    live = kb.live()
    if live is None or live.ranking is None:
        return []
    why = ranking_of(kb, live.ranking).refusal(_embedder(live))
    return [f"{why}; train it again: `llmops train CONFIG`"] if why else []


def _adapter(home: Path, ranking: Ranking) -> Vectors | None:
    content = adapter_file(home, ranking)
    return None if content is None else from_bytes(content, ranking.dimension)


def adapter_file(home: Path, ranking: Ranking) -> bytes | None:
    """The file in the lake, None where the weight alone was learnt. Raises Damaged where it is not
    what was written.
    """
    if ranking.model is None:
        return None
    lake = lake_of(home)
    hint = f"`llmops kb ranking {ranking.kb} --rollback`, or train it again"
    try:
        content = lake.read(ranking.model)
    except FileNotFoundError:
        raise Damaged(
            f"the file of ranking {ranking.number} is gone",
            where=lake.where(ranking.model),
            hint=hint,
        ) from None
    if sha256(content) != ranking.model_sha256:
        raise Damaged(
            f"the file of ranking {ranking.number} is not what was written",
            where=lake.where(ranking.model),
            hint=hint,
        )
    return content


def forget_models(kb: Handle) -> None:
    """Remove the files of all rankings of a knowledge base that is dropped."""
    paths = [file.path for file in kb.lake.files(f"{FOLDER}/{kb.name}")]
    for path in paths:
        kb.lake.remove(path)
    kb.lake.leave([f"{FOLDER}/{kb.name}"] if paths else [])


def _live(connection: Connection, name: str) -> int | None:
    mine = select(knowledge_bases.c.ranking).where(knowledge_bases.c.name == name)
    number: int | None = connection.scalar(mine)
    return number
