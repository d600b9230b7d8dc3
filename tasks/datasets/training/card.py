"""The card of a data set: what a person should know before they train on it. Markdown, as the model
hubs show it.
"""

import re
from collections.abc import Mapping, Sequence

from pydantic import BaseModel, ConfigDict, Field

from llmops.tasks.datasets.training.conflicts import LengthBias
from llmops.tasks.datasets.training.exporting import DatasetFile, TargetReport
from llmops.tasks.datasets.training.profile import UNSAID, RowProfile
from llmops.tasks.datasets.training.publishing import RowCounts
from llmops.tasks.datasets.training.spec import FinetuneSpec
from llmops.tasks.yaml_files import write_yaml

FEW = 200
"""Rows to train on, below which the card warns."""


class CardFacts(BaseModel):
    """All that the card says beside counts and files."""

    model_config = ConfigDict(frozen=True)
    rejected: dict[str, int] = Field(default_factory=dict)
    remarks: dict[str, int] = Field(default_factory=dict)
    scrubbed: dict[str, int] = Field(default_factory=dict)
    contaminated: dict[str, int] = Field(default_factory=dict)
    duplicates: tuple[str, ...] = ()
    overlaps: tuple[str, ...] = ()
    bias: LengthBias = LengthBias(pairs=0)


def card(
    spec: FinetuneSpec,
    version: int,
    counts: RowCounts,
    profile: RowProfile,
    facts: CardFacts,
    files: Sequence[DatasetFile],
    reports: Sequence[TargetReport],
) -> str:
    """The card's text; pictures lie beside it."""
    parts = [
        _head(profile),
        f"# {spec.name}, version {version}",
        _summary(counts, profile),
        "## What became of the rows\n\n![rows](rows.png)",
        _table(("step", "rows"), [[n.replace("_", "-"), f"{v:,}"] for n, v in _steps(counts)]),
        _counted("Rejected, and kept in quarantine", facts.rejected),
        _counted("Kept, but look at them", facts.remarks),
        "## What is in it\n\n![languages, sources, scores](languages.png)\n\n"
        "![lengths](lengths.png)",
        _counted("Sources", profile.sources),
        _counted("Languages", profile.languages),
        _counted("Licences", profile.licences),
        _preferences(facts.bias),
        _personal(spec, facts),
        _decontamination(spec, facts),
        f"## Split\n\nBy {spec.split.by}, seed {spec.split.seed}: rows of one group, one "
        "conversation, or that are near-duplicates, are on one side. That nothing leaks was "
        "checked after it.",
        "## Files",
        _table(
            ("format", "side", "file", "rows", "tokens", "SHA-256"),
            [
                [f.format, f.split, f.path, f"{f.rows:,}", f"{f.tokens:,}", f.sha256[:12]]
                for f in files
            ],
        ),
        "## What each trainer would do without saying",
        *(_target(each) for each in reports),
        _limits(spec, counts, profile),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _head(profile: RowProfile) -> str:
    """What the hubs read."""
    languages = [each for each in profile.languages if len(each) == 2]
    licences = [each for each in profile.licences if each != UNSAID]
    said: dict[str, object] = {
        **({"language": languages} if languages else {}),
        **({"license": "other", "license_name": ", ".join(licences)} if licences else {}),
        "task_categories": ["text-generation"],
    }
    return f"---\n{write_yaml(said)}---"


def _summary(counts: RowCounts, profile: RowProfile) -> str:
    return (
        f"{counts.left:,} rows of {counts.collected:,} that were collected, in "
        f"{profile.groups:,} groups: {counts.train:,} to train on, {counts.validation:,} to "
        f"validate, {counts.test:,} to test. {profile.pairs:,} are pairs of a better and a worse "
        f"answer, {profile.with_tools:,} call tools."
    )


def _steps(counts: RowCounts) -> list[tuple[str, int]]:
    return list(counts.model_dump().items())


def _preferences(bias: LengthBias) -> str:
    """How far the better answers are the longer ones."""
    if bias.longer is None or bias.low is None or bias.high is None or bias.ratio is None:
        return ""
    told = (
        "**A model that learns from these pairs learns to be long, or short**: look at them before "
        "you train."
        if bias.biased
        else "That is no bias that could be told from chance."
    )
    return (
        f"## Preferences\n\nOf {bias.pairs:,} pairs the better answer is the longer one in "
        f"{bias.longer:.0%} (95 % interval {bias.low:.0%} to {bias.high:.0%}); it has "
        f"{bias.ratio:.2f} times the characters of the other, in the median. {told}"
    )


def _personal(spec: FinetuneSpec, facts: CardFacts) -> str:
    if spec.scrub is None:
        return (
            "## Personal data\n\nNothing was looked for or replaced (`scrub: null`): names, "
            "addresses and secrets stand as people wrote them."
        )
    told = _counted("", facts.scrubbed) or "Nothing was found."
    return (
        f"## Personal data\n\nReplaced by `{spec.scrub.name}`, with the same pseudonym through a "
        f"whole conversation:\n\n{told}"
    )


def _decontamination(spec: FinetuneSpec, facts: CardFacts) -> str:
    against = spec.decontaminate.against
    if not against:
        return (
            "## Decontamination\n\nNone: `decontaminate.against` names no golden set and no cases. "
            "What was evaluated before may stand in here."
        )
    names = ", ".join(f"`{_plain(str(each))}`" for each in against)
    told = "\n".join(f"- {_plain(each)}" for each in facts.overlaps)
    counts = _counted("", facts.contaminated) or "Nothing was left out."
    return (
        f"## Decontamination\n\nAgainst {names}: equal, contained, or {spec.decontaminate.ngram} "
        f"words in a row.\n\n{counts}\n\n{told}".rstrip()
    )


def _target(report: TargetReport) -> str:
    lines = [f"{report.records:,} records; the longest has {report.longest:,} tokens."]
    lines += [f"- not in it: {n:,} rows: {_plain(why)}" for why, n in report.left_out.items()]
    lines += [
        f"- **{effect}**: {n:,} records: {_plain(why)}"
        for effect, reasons in report.risks.items()
        for why, n in reasons.items()
    ]
    lines += [f"- **{_plain(each)}**" for each in report.warnings]
    return f"### {report.format}\n\n" + "\n".join(lines)


def _limits(spec: FinetuneSpec, counts: RowCounts, profile: RowProfile) -> str:
    lines = [
        "what people rate is not what everybody asks: those who complain, and those who review, "
        "choose the rows",
        "near-duplicates just at the threshold are missed in 5 of 1,000 cases",
        *([] if spec.tokenizer != "cautious" else ["tokens are estimates: rather too many"]),
        *(
            [f"{profile.licences[UNSAID]:,} rows do not say under which licence they are"]
            if profile.licences.get(UNSAID)
            else []
        ),
        *(
            ["there are few rows: differences after training on them may be noise"]
            if counts.train < FEW
            else []
        ),
        *(["answers that people found bad are for preferences alone"] if profile.pairs else []),
    ]
    return "## Known limits\n\n" + "\n".join(f"- {each}" for each in lines)


def _counted(title: str, counts: Mapping[str, int]) -> str:
    if not counts:
        return ""
    table = _table(("", "rows"), [[name, f"{count:,}"] for name, count in counts.items()])
    return f"### {title}\n\n{table}" if title else table


def _table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *([_plain(cell) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _plain(text: str) -> str:
    """On one line, and no markup."""
    line = " ".join(text.split())[:300]
    return re.sub(r"([\\`*_{}\[\]<>#|~])", r"\\\1", line)
