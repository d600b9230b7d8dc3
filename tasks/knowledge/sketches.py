"""What cleaners that compare documents remember in the ledger: of each document a sketch, and what
followed from all of them.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from sqlalchemy import Column, Row, bindparam, delete, select, update

from llmops.tasks.knowledge.build import Build
from llmops.tasks.ledger import upsert
from llmops.tasks.ledger.tables import sketches
from llmops.tasks.plugins import digest
from llmops.tasks.plugins.cleaners import CorpusVerdict
from llmops.tasks.schemas import sha256

OPEN, DOUBTFUL = "?", "!"
"""In place of a verdict: not judged yet; failed after cleaning, so that no other document may be
left out for it.
"""
KEYS = 500


def made_from(content_hash: str, verdicts: Sequence[str]) -> str:
    """What a sketch depends on beside its cleaner: the original, and what the cleaners before did
    to it.
    """
    return sha256("\x1f".join([content_hash, *verdicts])) if verdicts else content_hash


def read(verdict: str) -> CorpusVerdict:
    return CorpusVerdict.read(_applied(verdict))


class CorpusVerdicts:
    """The verdicts of a build's corpus cleaners as the ledger has them, without the sketches."""

    def __init__(self, build: Build) -> None:
        self._keys, self._fingerprints = build.fingerprints.corpus, build.fingerprints
        self._rows: dict[str, dict[str, Row[Any]]] = {key: {} for key in self._keys}
        if self._keys:
            names = ("cleaner", "doc_id", "content_hash", "revision", "verdict")
            with build.ledger.read() as connection:
                query = select(*(sketches.c[name] for name in names))
                for row in connection.execute(
                    query.where(sketches.c.kb == build.kb, sketches.c.cleaner.in_(self._keys))
                ):
                    self._rows[row.cleaner][row.doc_id] = row

    def verdicts(self, doc_id: str, content_hash: str) -> tuple[str, ...] | None:
        """What was said of this content, up to the cleaner that left it out; None unless every one
        has judged just that.
        """
        said: tuple[str, ...] = ()
        for key in self._keys:
            row = self._rows[key].get(doc_id)
            if (
                row is None
                or row.content_hash != made_from(content_hash, said)
                or row.verdict in (OPEN, DOUBTFUL)
            ):
                return None
            said = (*said, row.verdict)
            if read(row.verdict).instead:
                break
        return said

    def sketched(self, doc_id: str, content_hash: str, turn: int) -> bool:
        """Whether the cleaner of that turn has sketched what the ones before it make of this
        content now.
        """
        row = self._rows[self._keys[turn]].get(doc_id)
        return row is not None and row.content_hash == made_from(
            content_hash, self.before(doc_id, turn)
        )

    def before(self, doc_id: str, turn: int) -> tuple[str, ...]:
        """The verdicts of the cleaners before that turn."""
        return tuple(
            _applied(self._rows[key][doc_id].verdict) if doc_id in self._rows[key] else ""
            for key in self._keys[:turn]
        )

    def stage(self, row: Row[Any]) -> str | None:
        """The fingerprint that cleaning leaves on a live document; None where it has to be judged
        first.
        """
        said = self.verdicts(row.doc_id, row.content_hash)
        return None if said is None else _stage(self._fingerprints.of(row.media_type).text, said)

    def left_out(self, doc_id: str) -> Row[Any] | None:
        """The first cleaner's row of a document that was left out for another, else None."""
        row = self._rows[self._keys[0]].get(doc_id) if self._keys else None
        said = self.verdicts(doc_id, row.content_hash) if row else None
        return row if said and read(said[-1]).instead else None


def _stage(text: str, said: Sequence[str]) -> str:
    return digest(text, *said) if any(said) else text


def text_stages(build: Build, media_types: Mapping[str, str]) -> dict[str, str]:
    """doc_id -> the fingerprint of the cleaning that these documents (doc_id -> media type) went
    through in this build.
    """
    return {
        doc_id: _stage(build.fingerprints.of(media_types[doc_id]).text, said)
        for doc_id, said in said_of(build, list(media_types)).items()
    }


def said_of(
    build: Build, doc_ids: Sequence[str], turns: int | None = None
) -> dict[str, tuple[str, ...]]:
    """doc_id -> the verdicts of the first so many cleaners (of all), as cleaning applies them."""
    said: dict[str, tuple[str, ...]] = dict.fromkeys(doc_ids, ())
    for key in build.fingerprints.corpus[:turns]:
        verdicts = verdicts_of(build, key, doc_ids)
        said = {
            doc_id: (*before, _applied(verdicts.get(doc_id, ""))) for doc_id, before in said.items()
        }
    return said


def _applied(verdict: str) -> str:
    return "" if verdict in (OPEN, DOUBTFUL) else verdict


def verdicts_of(build: Build, key: str, doc_ids: Sequence[str]) -> dict[str, str]:
    """The verdicts of one cleaner as texts."""
    return {
        row.doc_id: row.verdict
        for row in _some(build, key, doc_ids, (sketches.c.doc_id, sketches.c.verdict))
    }


def load(build: Build, key: str, doc_ids: Sequence[str]) -> dict[str, Row[Any]]:
    """doc_id -> whole row of one cleaner."""
    return {row.doc_id: row for row in _some(build, key, doc_ids, tuple(sketches.c))}


def _some(
    build: Build, key: str, doc_ids: Sequence[str], columns: Sequence[Column[Any]]
) -> list[Row[Any]]:
    mine = (sketches.c.kb == build.kb) & (sketches.c.cleaner == key)
    with build.ledger.read() as connection:
        return [
            row
            for start in range(0, len(doc_ids), KEYS)
            for row in connection.execute(
                select(*columns).where(mine, sketches.c.doc_id.in_(doc_ids[start : start + KEYS]))
            )
        ]


def save(build: Build, key: str, rows: Sequence[Mapping[str, Any]]) -> None:
    """Remember sketches. A verdict on the same sketch stays until it is judged again."""
    before = load(build, key, [row["doc_id"] for row in rows])
    whole = [
        {**row, "kb": build.kb, "cleaner": key, "verdict": _kept(before.get(row["doc_id"]), row)}
        for row in rows
    ]
    with build.ledger.write() as connection:
        upsert(connection, sketches, whole)


def _kept(before: Row[Any] | None, row: Mapping[str, Any]) -> str:
    if before is None:
        return OPEN
    same = (before.content_hash, before.sketch) == (row["content_hash"], row["sketch"])
    return str(before.verdict) if same else OPEN


def judged(
    build: Build, key: str, verdicts: Mapping[str, str], revisions: Mapping[str, str]
) -> None:
    """Write down the verdicts that are others than before, and new revisions; forget every document
    that is not among them.
    """
    mine = (sketches.c.kb == build.kb) & (sketches.c.cleaner == key)
    with build.ledger.write() as connection:
        connection.execute(
            delete(sketches).where(
                sketches.c.kb == build.kb, sketches.c.cleaner.not_in(build.fingerprints.corpus)
            )
        )
        rows = connection.execute(
            select(sketches.c.doc_id, sketches.c.verdict, sketches.c.revision).where(mine)
        ).all()
        gone = [row.doc_id for row in rows if row.doc_id not in verdicts]
        for start in range(0, len(gone), KEYS):
            connection.execute(
                delete(sketches).where(mine, sketches.c.doc_id.in_(gone[start : start + KEYS]))
            )
        now = [
            {
                "key": row.doc_id,
                "said": verdicts[row.doc_id],
                "token": revisions.get(row.doc_id, row.revision),
            }
            for row in rows
            if row.doc_id in verdicts
        ]
        was = {row.doc_id: (row.verdict, row.revision) for row in rows}
        news = [row for row in now if was[row["key"]] != (row["said"], row["token"])]
        if news:
            change = update(sketches).where(mine, sketches.c.doc_id == bindparam("key"))
            connection.execute(
                change.values(verdict=bindparam("said"), revision=bindparam("token")), news
            )


def doubt(build: Build, failed: Iterable[tuple[str, str]]) -> None:
    """Remember of documents (cleaner, doc_id) that they failed although that cleaner left others
    out for them.
    """
    with build.ledger.write() as connection:
        for key, doc_id in sorted(failed):
            mine = (
                (sketches.c.kb == build.kb)
                & (sketches.c.cleaner == key)
                & (sketches.c.doc_id == doc_id)
            )
            connection.execute(update(sketches).where(mine).values(verdict=DOUBTFUL))
