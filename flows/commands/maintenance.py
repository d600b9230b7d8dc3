"""`llmops kb repair`, `gc`, `export`, `import`, `drop`, `erase`: what an operator does when
something was lost, the disk is full, a knowledge base moves, or something has to go for good.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import (
    AnyName,
    Details,
    Name,
    Vectors,
    Yes,
    home,
    knowledge_base,
)
from llmops.flows.console import Answer, answer, command, line

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.maintenance.erase import Erasure
    from llmops.tasks.maintenance.importing import Imported

app = typer.Typer()
UNRECORDED = "Prefect's server has not stored yet all that runs have sent it"


@command(app, "repair", long=True)
def repair(name: Name, vectors: Vectors = False, details: Details = False) -> Answer:
    """Restore what the store has lost, from the lake and the embeddings that were paid for; remove
    what does not belong there.
    """
    from llmops.tasks.maintenance.repair import repair as mend
    from llmops.tasks.maintenance.verify import counts

    repaired = mend(knowledge_base(name), thorough=vectors)
    return answer(repaired if details else counts(repaired), draw.facts, 0 if repaired["ok"] else 1)


@command(app, "gc", long=True)
def gc(
    name: AnyName = None,
    embeddings: Annotated[
        bool,
        typer.Option(
            "--embeddings",
            help="Also forget embeddings and parsed texts that no kept version has: if such "
            "a text comes back, it is paid for again.",
        ),
    ] = False,
) -> Answer:
    """Free what no kept version needs: rows and collections of the store, files of the lake,
    outcomes of old runs.
    """
    from llmops.tasks.maintenance.garbage import gc as free

    return answer(free(knowledge_base(name), paid=embeddings), draw.facts)


@command(app, "export", long=True)
def export(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")],
) -> Answer:
    """Write the live version into a folder: Parquet files, and a manifest with their hashes."""
    from llmops.tasks.maintenance.export import export as write

    written = write(knowledge_base(name), folder.absolute())
    return answer(
        written,
        line(
            f"{name}: version {written['version']} exported, {written['documents']} documents in "
            f"{written['chunks']} chunks\n  {written['folder']}"
        ),
    )


@command(app, "import", long=True)
def import_(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="What `llmops kb export` wrote.")],
    name: Annotated[
        str | None,
        typer.Option("--name", help="What it is called here; default: as it was called."),
    ] = None,
    store: Annotated[
        str | None,
        typer.Option("--store", help="lancedb, weaviate, or '{name: weaviate, url: …}'."),
    ] = None,
    trust: Annotated[
        bool,
        typer.Option(
            "--trust", help="Let the embedder that the export names import code by its `path`."
        ),
    ] = False,
) -> Answer:
    """Bring an exported knowledge base in as a new one, verified first, and without embedding
    anything.
    """
    from llmops.tasks.maintenance.importing import bring_in
    from llmops.tasks.maintenance.portable import store_spec

    spec = store_spec(store) if store is not None else None
    return answer(bring_in(home(), folder.absolute(), name, spec, trust=trust), _imported)


def _imported(console: "Console", imported: "Imported") -> None:
    console.print(
        f"{imported['knowledge_base']}: version 1 is live, imported into {imported['store']}: "
        f"{imported['documents']} documents in {imported['chunks']} chunks, nothing embedded",
        markup=False,
    )
    for warning in imported["warnings"]:
        console.print(f"  warning  {draw.printable(warning)}", markup=False)


@command(app, "drop")
def drop(name: Name, yes: Yes = False) -> Answer:
    """Remove a knowledge base with all its versions."""
    from llmops.tasks.errors import UsageError
    from llmops.tasks.maintenance.drop import belongings
    from llmops.tasks.maintenance.drop import drop as remove

    kb = knowledge_base(name)
    going = belongings(kb)
    if not yes:
        raise UsageError(
            f"this would remove {name!r} for good: {draw.shown(going)}",
            hint=f"if that is meant: llmops kb drop {name} --yes",
        )
    with kb.hold() as lease:
        freed = remove(kb, lease)
    gone = f"{name} is gone: {draw.shown(going | {'files': freed['files']})}"
    note = f"\n  note     {freed['note']}" if freed["note"] else ""
    return answer({"knowledge_base": name, **going, **freed}, line(gone + note))


@command(app, "erase", long=True)
def erase(
    name: Name,
    uri: Annotated[str, typer.Option("--uri", help="The document, as `kb documents` lists it.")],
    yes: Yes = False,
    lift: Annotated[bool, typer.Option("--lift", help="Let an erased document in again.")] = False,
) -> Answer:
    """Remove a document from every version, the store, the lake and all records, and keep it out of
    later builds.
    """
    from llmops.flows import server
    from llmops.flows.server.used import out_of_reach
    from llmops.tasks.errors import UsageError
    from llmops.tasks.maintenance import erase as erasing

    def recorded() -> list[str]:
        return [] if server.settled(home()) else [UNRECORDED]

    if not (lift or yes):
        raise UsageError(
            f"this would erase {uri!r} from every version of {name!r}, and keep it out of "
            f"later builds",
            hint=f"if that is meant: llmops kb erase {name} --uri {uri} --yes",
        )
    kb = knowledge_base(name)
    if lift:
        erased = erasing.lifted(kb, uri)
    else:
        beyond = out_of_reach(home())
        erased = erasing.erase(kb, uri, recorded)
        erased["notes"] += beyond
    return answer(erased, _erased, 1 if erased["left"] or erased["outstanding"] else 0)


def _erased(console: "Console", erased: "Erasure") -> None:
    later = (
        "kept out of later builds until --lift"
        if erased["suppressed"]
        else "the next build may bring it in again"
    )
    console.print(
        f"{erased['knowledge_base']}: {draw.printable(erased['uri'])} {erased['status']}; {later}",
        markup=False,
    )
    if erased["counts"]:
        console.print(f"  removed  {draw.shown(erased['counts'])}", markup=False)
    for file in erased["left"]:
        console.print(
            f"  LEFT     {draw.printable(file)} quotes it and cannot be changed: remove it "
            f"yourself",
            markup=False,
        )
    for what in erased["outstanding"]:
        console.print(f"  AGAIN    {what}: run the same command again", markup=False)
    for note in erased["notes"]:
        console.print(f"  note     {note}", markup=False)
