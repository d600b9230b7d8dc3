"""`llmops backup` and `llmops restore`: whatever burns down can be had again."""

from typing import TYPE_CHECKING, Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import home
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

    from llmops.tasks.maintenance.backup.make import BackupMade
    from llmops.tasks.maintenance.backup.restoring import RestoredHome
    from llmops.tasks.maintenance.backup.vault import Vault

app = typer.Typer()
PLACE = typer.Argument(metavar="DIR", help="A folder, or a URL such as s3://bucket/prefix.")
COLUMNS = ["id", "created_at", "knowledge_bases", "files", "bytes", "problems"]


@command(app, "backup", long=True)
def backup(
    place: Annotated[str, PLACE],
    keep: Annotated[
        int | None,
        typer.Option("--keep", min=1, help="Afterwards forget all backups there but the newest N."),
    ] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Only list the backups that are there.")
    ] = False,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Only read the newest backup there, and compare its hashes."),
    ] = False,
) -> Answer:
    """Copy this home, also while it is used: ledger, texts, embeddings, vectors, prompts, runs,
    traces, data sets. Files that a backup there has already are not written again.
    """
    from llmops.tasks.errors import UsageError
    from llmops.tasks.maintenance.backup.make import backup as make

    if listed and verify:
        raise UsageError("got --list and --verify", hint="give one of them")
    if listed:
        return _list(place)
    if verify:
        return _verify(place)
    made = make(home(), place, keep)
    return Answer(
        made.model_dump(mode="json"),
        lambda console: _made(console, made),
        1 if made.problems else 0,
    )


def _list(place: str) -> Answer:
    from llmops.tasks.maintenance.backup.vault import Vault

    vault = Vault(place)
    rows = [_listed(vault, each) for each in reversed(vault.ids())]
    return answer({"backups": rows}, draw.table("backups", COLUMNS, empty="No backup is there."))


def _listed(vault: "Vault", name: str) -> dict[str, object]:
    from llmops.tasks.errors import Damaged

    try:
        each = vault.read(name)
    except Damaged as error:
        nothing = {"home": "", "knowledge_bases": {}, "files": 0, "bytes": 0, "problems": 1}
        return {"id": name, "created_at": "", **nothing, "damaged": error.message}
    return {
        "id": each.id,
        "created_at": each.created_at.isoformat(timespec="seconds"),
        "home": each.home,
        "knowledge_bases": dict(each.knowledge_bases),
        "files": len(each.files),
        "bytes": each.size,
        "problems": len(each.problems),
    }


def _verify(place: str) -> Answer:
    from llmops.tasks.maintenance.backup.restoring import verify as check
    from llmops.tasks.maintenance.backup.vault import Vault

    newest = Vault(place).read()
    problems = check(place, newest.id)

    def drawn(console: "Console") -> None:
        said = "every file is what was written" if not problems else "it is damaged"
        console.print(f"backup {newest.id}: {said}, {len(newest.files):,} files", markup=False)
        for problem in problems:
            console.print(f"  DAMAGED  {draw.printable(problem)}", markup=False)

    told = {"id": newest.id, "ok": not problems, "files": len(newest.files), "problems": problems}
    return Answer(told, drawn, 1 if problems else 0)


def _made(console: "Console", made: "BackupMade") -> None:
    console.print(
        f"backup {made.id}: {made.files:,} files, {_size(made.bytes)}; new: {made.new_files:,}, "
        f"{_size(made.new_bytes)}\n  place    {draw.printable(made.place)}",
        markup=False,
    )
    _said(console, made)
    for each in made.removed:
        console.print(f"  removed  {each}", markup=False)


def _said(console: "Console", told: "BackupMade | RestoredHome") -> None:
    for name, live in told.knowledge_bases.items():
        version = "nothing published" if live is None else f"version {live} is live"
        console.print(f"  base     {draw.printable(name)}: {version}", markup=False)
    for what in told.left_out:
        console.print(f"  without  {draw.printable(what)}", markup=False)
    for problem in told.problems:
        console.print(f"  DAMAGED  {draw.printable(problem)}", markup=False)


@command(app, "restore", long=True)
def restore(
    place: Annotated[str, PLACE],
    chosen: Annotated[
        str | None,
        typer.Option("--backup", help="Which one, as `backup --list` shows it; default: newest."),
    ] = None,
) -> Answer:
    """Make this home, which has to be empty, from a backup. Every file is compared with its hash
    first; a damaged backup is refused whole.
    """
    from llmops.tasks.maintenance.backup.restoring import restore as bring_back

    made = bring_back(home(), place, chosen)
    return Answer(made.model_dump(mode="json"), lambda console: _restored(console, made))


def _restored(console: "Console", made: "RestoredHome") -> None:
    console.print(
        f"{made.home} is as it was at {made.created_at[:19]} UTC (backup {made.id}): "
        f"{made.files:,} files, {_size(made.bytes)}",
        markup=False,
    )
    _said(console, made)


def _size(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"
