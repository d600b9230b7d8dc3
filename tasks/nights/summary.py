"""A night in words: what its artifact and its MLflow run show."""

import html
import re

from llmops.tasks.nights.night import Night, NightPart


def summary_markdown(night: Night) -> str:
    """The headline, a row per part, and what is to be said of them."""
    rows = [
        "| | part | config | state | seconds | USD |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(part) for part in night.parts),
    ]
    texts = [f"# {_plain(night.headline)}", "\n".join(rows)]
    for part in night.parts:
        lines = [_plain(part.headline), *([_plain(part.hint)] if part.hint else [])]
        lines += [_plain(note) for note in part.notes]
        lines += [f"[{_plain(name)}](<{url}>)" for name, url in part.links.items() if _web(url)]
        shown = "\n".join(f"- {line}" for line in lines)
        texts.append(f"## {_plain(part.flow)} {_plain(part.name)}\n\n{shown}")
    if night.warnings:
        texts.append("## Warnings\n\n" + "\n".join(f"- {_plain(w)}" for w in night.warnings))
    return "\n\n".join(texts)


def _row(part: NightPart) -> str:
    sign = "✗" if part.failed else "✓"
    cells = [sign, f"{part.flow} {part.name}", part.config, part.status]
    numbers = [f"{part.seconds:.1f}", f"{part.cost_usd:.4f}"]
    return f"| {' | '.join([*map(_plain, cells), *numbers])} |"


def _web(url: str) -> bool:
    return url.startswith(("http://", "https://")) and not re.search(r"[\s<>]", url)


def _plain(text: str) -> str:
    """On one line, and no markup."""
    line = html.escape(" ".join(text.split()), quote=False)
    return re.sub(r"([\\`*_{}\[\]()#+!|~])", r"\\\1", line[:1000])
