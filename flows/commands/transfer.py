"""`llmops kb export|import|drop|erase`: a knowledge base moved elsewhere, or removed, wholly or in
part.
"""

from pathlib import Path
from typing import Annotated, Any

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands.kb import Name
from llmops.flows.console import Answer, command

Yes = Annotated[
    bool, typer.Option("--yes", help="Do it; without it, the command only says what would go.")
]


def register(app: typer.Typer) -> None:
    """Add the commands to the group `kb`."""
    for name, function in (
        ("export", export),
        ("import", import_),
        ("drop", drop),
        ("erase", erase),
    ):
        command(app, name)(function)


def _place() -> tuple[Any, Path]:
    from llmops.configs.settings import settings
    from llmops.tasks.ledger import open_ledger

    home = settings().absolute_home
    return open_ledger(home), home


def export(
    name: Name,
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A new or an empty folder.")],
) -> Answer:
    """Write the live version into a folder: Parquet files, and a manifest with their hashes."""
    from llmops.tasks.maintenance.export import export as write

    ledger, home = _place()
    found = write(ledger, home, name, folder.absolute())
    told = (
        f"{name}: version {found['version']} exported, {found['documents']} documents in "
        f"{found['chunks']} chunks"
    )
    return Answer(
        found, lambda console: console.print(f"{told}\n  {found['folder']}", markup=False)
    )


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
    from llmops.tasks.maintenance.importing import bring_in, store_spec

    ledger, home = _place()
    found = bring_in(
        ledger,
        home,
        folder.absolute(),
        name,
        store_spec(store) if store is not None else None,
        trust=trust,
    )
    return Answer(found, lambda console: _imported(console, found))


def _imported(console: Any, found: dict[str, Any]) -> None:
    console.print(
        f"{found['knowledge_base']}: version 1 is live, imported into {found['store']}: "
        f"{found['documents']} documents in "
        f"{found['chunks']} chunks, nothing embedded",
        markup=False,
    )
    for warning in found["warnings"]:
        console.print(f"  warning  {draw.printable(warning)}", markup=False)


def drop(name: Name, yes: Yes = False) -> Answer:
    """Remove a knowledge base with all its versions."""
    from llmops.tasks.errors import UsageError
    from llmops.tasks.ledger.leases import hold
    from llmops.tasks.maintenance.drop import belongings
    from llmops.tasks.maintenance.drop import drop as remove

    ledger, home = _place()
    found = belongings(ledger, name)
    if not yes:
        raise UsageError(
            f"this would remove {name!r} for good: {draw.shown(found)}",
            hint=f"if that is meant: llmops kb drop {name} --yes",
        )
    with hold(home, name) as lease:
        freed = remove(ledger, lease, home, name)
    answer = {"knowledge_base": name, **found, **freed}
    return Answer(answer, lambda console: _dropped(console, name, found, freed))


def _dropped(console: Any, name: str, found: dict[str, int], freed: dict[str, Any]) -> None:
    console.print(f"{name} is gone: {draw.shown(found | {'files': freed['files']})}", markup=False)
    if freed["note"]:
        console.print(f"  note     {freed['note']}", markup=False)


def erase(
    name: Name,
    uri: Annotated[str, typer.Option("--uri", help="The document, as `kb documents` lists it.")],
    yes: Yes = False,
    lift: Annotated[
        bool, typer.Option("--lift", help="Let a document that was erased in again.")
    ] = False,
) -> Answer:
    """Remove a document from every version, the store, the lake and all records, and bar it from
    later builds.
    """
    from llmops.tasks.errors import UsageError
    from llmops.tasks.maintenance import erase as erasing

    ledger, home = _place()
    if lift:
        found = erasing.lifted(ledger, name, uri)
    elif not yes:
        raise UsageError(
            f"this would erase {uri!r} from every version of {name!r}, and bar it from "
            f"later builds",
            hint=f"if that is meant: llmops kb erase {name} --uri {uri} --yes",
        )
    else:
        found = erasing.erase(ledger, home, name, uri)
    return Answer(
        found, lambda console: _erased(console, found), exit_code=1 if found["left"] else 0
    )


def _erased(console: Any, found: dict[str, Any]) -> None:
    bar = (
        "barred from later builds until --lift"
        if found["barred"]
        else "the next build may bring it in again"
    )
    console.print(
        f"{found['knowledge_base']}: {draw.printable(found['uri'])} {found['status']}; {bar}",
        markup=False,
    )
    if found["counts"]:
        console.print(f"  removed  {draw.shown(found['counts'])}", markup=False)
    for file in found["left"]:
        console.print(
            f"  LEFT     {draw.printable(file)} quotes it and cannot be changed: remove it "
            f"yourself",
            markup=False,
        )
    for note in found["notes"]:
        console.print(f"  note     {note}", markup=False)
