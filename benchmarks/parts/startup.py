"""What a command takes before it has done anything: whole commands on a small knowledge base."""

import tempfile
from pathlib import Path

from benchmarks.parts.texts import passages
from benchmarks.report.processes import command, measured
from benchmarks.report.records import Part, Record
from llmops.tasks.yaml_files import write_yaml

DOCUMENTS = 30
ORDERS = {
    "llmops --help": ("--help",),
    "llmops kb status": ("kb", "status", "small"),
    "llmops search": ("search", "how are names bound", "--kb", "small"),
    "llmops index, unchanged": ("index", "kb.yaml"),
}
ABOUT = """Whole commands, imports included, on a knowledge base of {count} short documents with
the default embedder (`minilm`), beside a Prefect server that runs already. No peer has these
commands."""


def measure(*, quick: bool) -> Part:
    rounds = 1 if quick else 5
    found: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="llmops-bench-") as place:
        folder = Path(place)
        (folder / "docs").mkdir()
        for number, text in enumerate(passages(DOCUMENTS)):
            (folder / "docs" / f"{number}.md").write_text(f"# Passage {number}\n\n{text}\n")
        source = {"name": "files", "path": "docs"}
        config = {"flow": "index", "knowledge_base": "small", "sources": [source]}
        (folder / "kb.yaml").write_text(write_yaml(config))
        environment = {"LLMOPS_HOME": str(folder / "home")}
        try:
            measured(command("index", "kb.yaml", "--quiet"), folder, environment)
            for number in range(rounds + 1):  # the first one warms the files
                for name, order in ORDERS.items():
                    used = measured(command(*order), folder, environment)
                    if number:
                        found.setdefault(name, []).append(used.seconds)
                        found.setdefault(f"{name}: processor time", []).append(used.cpu)
        finally:
            measured(command("down", "--quiet"), folder, environment)
    return Part(
        name="startup",
        title="Start-up",
        about=ABOUT.format(count=DOCUMENTS),
        command="python -m benchmarks startup",
        records=[Record(name, "llmops", "s", rounds) for name, rounds in found.items()],
    )
