"""`llmops golden …`: questions with known answers."""

from pathlib import Path
from typing import Annotated

import typer

from llmops.flows.commands import _tables as draw
from llmops.flows.commands._options import knowledge_base
from llmops.flows.console import Answer, answer, command

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
) -> Answer:
    """Find questions whose document or quote no longer exists in the live version; exit 1 when
    there are any.
    """
    from llmops.configs import read
    from llmops.configs.index import IndexConfig
    from llmops.tasks.errors import UsageError
    from llmops.tasks.maintenance.versions import text_loaders
    from llmops.tasks.retrieval.golden import missing, read_golden

    settings = read(config, IndexConfig)
    if settings.gate is None:
        raise UsageError(f"{config} has no gate", hint="gate: {golden: golden/handbook.jsonl}")
    golden = read_golden(settings.folder / settings.gate.golden)
    lost = [
        {"id": miss.question, "uri": miss.uri, "quote": miss.quote, "why": miss.why}
        for miss in missing(golden, text_loaders(knowledge_base(settings.knowledge_base)))
    ]
    return answer(
        {
            "golden": str(settings.gate.golden),
            "questions": len(golden.questions),
            "missing": lost,
        },
        draw.table("missing", empty="Every question's document is there."),
        1 if lost else 0,
    )
