"""Trained rankings on their way with an export: those that may be live, their files, and which one
is. What people asked stays behind: the worst questions of a report, traces and people.
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from sqlalchemy import Connection, insert, update

from llmops.tasks.audit.log import Entry, append
from llmops.tasks.errors import Damaged
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.rankings import FOLDER, NONE, Ranking, adapter_file, listed
from llmops.tasks.knowledge.suppressed import uri_hash
from llmops.tasks.lake import write_atomically
from llmops.tasks.ledger import now
from llmops.tasks.ledger.tables import knowledge_bases, rankings
from llmops.tasks.maintenance.portable import CarriedRanking, Manifest, damaged
from llmops.tasks.plugins.trainers.retrieval.adapter import from_bytes
from llmops.tasks.schemas import sha256
from llmops.tasks.traces.trained import KEY

PROMOTED = "promoted"
MOST = 20
"""Rankings that go along: what a way back may want."""
LARGEST = 256 * 2**20


def model_path(folder: Path, number: int) -> Path:
    return folder / f"ranking-{number}.safetensors"


def carried(kb: Handle, live: int | None, folder: Path) -> list[CarriedRanking]:
    """Write the files of the newest rankings that may be live, and of the one that is, and return
    what the manifest says of them. Raises Damaged where a file is not what was written.
    """
    promoted = [each for each in listed(kb) if each.status == PROMOTED]
    kept = {each.number: each for each in promoted[:MOST]}
    kept |= {each.number: each for each in promoted if each.number == live}
    found = []
    for number in sorted(kept):
        ranking = kept[number]
        content = adapter_file(kb.home, ranking)
        if content is not None:
            write_atomically(model_path(folder, number), content)
        found.append(
            CarriedRanking(
                number=number,
                weight=ranking.weight,
                embedder=ranking.embedder,
                dimension=ranking.dimension,
                model=ranking.model_sha256,
                dataset=ranking.dataset_sha256,
                parent=ranking.parent if ranking.parent in kept else None,
                decision=_told(ranking),
            )
        )
    return found


def _told(ranking: Ranking) -> dict[str, object]:
    """The decision without what people asked, and who."""
    told = dict(ranking.decision)
    figures, note = told.get("figures"), told.get(KEY)
    if isinstance(figures, Mapping):
        told["figures"] = {name: value for name, value in figures.items() if name != "worst"}
    if isinstance(note, Mapping):
        told[KEY] = {"documents": list(note.get("documents", ()))}
    return told


def checked(folder: Path, manifest: Manifest) -> dict[int, bytes]:
    """The files of the rankings, by their numbers. Raises Damaged for what is not what the manifest
    says, or no adapter.
    """
    found = {}
    for each in manifest.rankings:
        if each.model is None:
            continue
        path = model_path(folder, each.number)
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise damaged(path, "the file of a ranking is missing, or larger than any")
        content = path.read_bytes()
        if sha256(content) != each.model:
            raise damaged(path, "its content is not what the manifest says")
        try:
            from_bytes(content, each.dimension)
        except Damaged as error:
            raise damaged(path, error.message) from error
        found[each.number] = content
    return found


def kept_files(kb: Handle, files: Mapping[int, bytes]) -> dict[int, str]:
    """Write them into the lake; returns their paths there."""
    paths = {
        number: f"{FOLDER}/{kb.name}/{sha256(each)}.safetensors" for number, each in files.items()
    }
    for number, content in files.items():
        kb.lake.write(paths[number], content)
    return paths


def enter(
    connection: Connection,
    kb: str,
    manifest: Manifest,
    paths: Mapping[int, str],
    uris: Iterable[str],
) -> None:
    """Bring them into the ledger, and make that one live that was. Erasures find them by the hashes
    of documents under their new name.
    """
    renamed = {uri_hash(manifest.knowledge_base, uri): uri_hash(kb, uri) for uri in uris}
    for each in manifest.rankings:
        decision = dict(each.decision)
        note = decision.get(KEY)
        if isinstance(note, Mapping):
            known = [renamed[old] for old in map(str, note.get("documents", ())) if old in renamed]
            decision[KEY] = {"documents": sorted(known)}
        row = {
            "kb": kb,
            "number": each.number,
            "status": PROMOTED,
            "version": 1,
            "embedder": each.embedder,
            "dimension": each.dimension,
            "weight": each.weight,
            "model": paths.get(each.number),
            "model_sha256": each.model,
            "dataset_sha256": each.dataset,
            "parent": each.parent,
            "decision": decision,
            "created_at": now(),
            "promoted_at": now() if each.number == manifest.ranking else None,
        }
        connection.execute(insert(rankings).values(**row))
    if manifest.ranking is not None:
        subject, reason = f"ranking/{kb}", f"imported from {manifest.knowledge_base}"
        moved = {"before": str(NONE), "after": str(manifest.ranking)}
        append(connection, Entry(action="rank", subject=subject, reason=reason, **moved))
        mine = knowledge_bases.c.name == kb
        connection.execute(update(knowledge_bases).where(mine).values(ranking=manifest.ranking))
