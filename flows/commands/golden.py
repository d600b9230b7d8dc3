"""`llmops golden …`: questions with known answers."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import knowledge_base
from llmops.flows.console import Answer, answer, command

if TYPE_CHECKING:
    from rich.console import Console

app = typer.Typer(
    name="golden",
    no_args_is_help=True,
    help="Golden sets: the questions that a version must answer.",
)


@command(app, "import")
def import_(
    out: Annotated[Path, typer.Option("--out", help="The golden set to write (JSON lines).")],
    beir: Annotated[Path | None, typer.Option("--beir", help="A folder in BEIR layout.")] = None,
    split: Annotated[str, typer.Option("--split", help="Which qrels of the BEIR folder.")] = "test",
    squad: Annotated[Path | None, typer.Option("--squad", help="A file in SQuAD format.")] = None,
) -> Answer:
    """Convert public question sets."""
    from llmops.tasks.errors import UsageError
    from llmops.tasks.retrieval.convert import from_beir, from_squad
    from llmops.tasks.retrieval.golden import write_golden

    if (beir is None) == (squad is None):
        raise UsageError(
            "give one of --beir DIR and --squad FILE",
            hint="--split chooses the qrels of a BEIR folder",
        )
    if beir is not None and not beir.is_dir():
        raise UsageError(
            "no such folder",
            where=str(beir),
            hint="a BEIR folder has queries.jsonl and qrels/<split>.tsv",
        )
    if out.is_dir():
        raise UsageError(
            "this is a folder, the golden set is a file",
            where=str(out),
            hint=f"--out {out / 'golden.jsonl'}",
        )
    imported = from_beir(beir, split) if beir else from_squad(squad)  # type: ignore[arg-type]
    try:
        golden = write_golden(out, imported.questions)
    except OSError as error:
        raise UsageError(
            f"the file cannot be written: {error.strerror}",
            where=str(out),
            hint="choose another --out",
        ) from error
    return answer(
        {
            "file": str(out),
            "questions": len(golden.questions),
            "left_out": imported.left_out,
            "sha256": golden.sha256,
        },
        draw.facts,
    )


@command(app, "check")
def check(
    config: Annotated[Path, typer.Argument(metavar="CONFIG", help="An index config with a gate.")],
    sources: Annotated[
        bool,
        typer.Option(
            "--sources", help="Also list the sources, as `index --plan` does, and compare."
        ),
    ] = False,
) -> Answer:
    """Find questions whose document or quote no longer exists in the live version; exit 1 when
    there are any.
    """
    from llmops.configs import read
    from llmops.configs.index import IndexConfig
    from llmops.tasks.errors import UsageError
    from llmops.tasks.knowledge.build import Specs
    from llmops.tasks.maintenance.golden import check_golden
    from llmops.tasks.retrieval.golden import read_golden
    from llmops.tasks.schemas import paths_of

    _no_questions(config)
    settings = read(config, IndexConfig)
    if settings.gate is None:
        raise UsageError(f"{config} has no gate", hint="gate: {golden: golden/handbook.jsonl}")
    files = paths_of(Path(), settings.gate.golden)
    golden = read_golden(*paths_of(settings.folder, settings.gate.golden))
    specs, name = Specs.model_validate(settings), ", ".join(map(str, files))
    found = check_golden(
        knowledge_base(settings.knowledge_base), specs, golden, name, sources=sources
    )
    lost = bool(found["missing"] or found["leaving"])
    return answer({**found}, lambda console, facts: _checked(console, facts, sources), int(lost))


def _no_questions(given: Path) -> None:
    """Raises UsageError for a golden set itself, and says which config has it."""
    from llmops.configs.golden_sets import configs_with
    from llmops.configs.reading import LINES
    from llmops.tasks.errors import UsageError

    if given.suffix in LINES and given.is_file():
        config = next(iter(configs_with(given)), Path("CONFIG"))
        hint = f"give the config of the knowledge base: llmops golden check {config}"
        raise UsageError("this is a file of questions", where=str(given), hint=hint)


def _checked(console: "Console", found: Mapping[str, Any], sources: bool) -> None:
    """What was compared with which version, and what it lacks."""
    version, base = found["version"], found["knowledge_base"]
    asked = f"version {version} of {base}, which is live" if version else f"{base}: nothing is live"
    more = "what its sources list now" if sources else "not its sources: --sources lists them"
    told = f"{found['golden']}: {found['questions']} questions; compared: {asked}; {more}"
    console.print(draw.printable(told), markup=False)
    columns = ["id", "uri", "quote", "why", *(["listed"] if sources else [])]
    lost = [*found["missing"], *found["leaving"]]
    draw.rows(console, lost, columns, empty="Every question's document is there.")
    for warning in found["warnings"]:
        console.print(f"  warning     {draw.printable(warning)}", markup=False)
