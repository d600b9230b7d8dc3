"""Data Docs: one page per build and an index, without a single reference to another host.

Great Expectations renders the results; its page around them loads twenty files from content
delivery networks and is bare text without them, so the page and the stylesheet are ours.
"""

import datetime as dt
import functools
import html
import json
import re
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from llmops.tasks.plugins import digest
from llmops.tasks.validation.custom import name_of_type
from llmops.tasks.validation.engine import condition
from llmops.tasks.validation.library import great_expectations
from llmops.tasks.validation.verdict import ValidationVerdict

if TYPE_CHECKING:
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>{title}</title>
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="llmops" content="{facts}">
<style>{style}</style></head>
<body>{body}</body></html>
"""
SEVERITIES = ("critical", "warning", "info")
TONES = {"critical": "failed"}
MOST_ROWS, LONGEST = 500, 200
HEADER = (
    "<tr><th>{}</th><th class='number'>Rows</th><th class='number'>Expectations</th><th "
    "class='number'>Failed</th>"
    "<th class='number'>Into quarantine</th><th>Result</th></tr>"
)


def write_docs(
    home: Path,
    run_name: str,
    verdicts: Sequence[ValidationVerdict],
    held: Mapping[str, int] = MappingProxyType({}),
) -> Path:
    """Write `HOME/docs/<run name>.html` and list it in `HOME/docs/index.html`; returns the page's
    path. `held`: how many documents are in quarantine by the stage at which they failed.

    One verdict per kind (see `combine`). A page of the same name is replaced. Safe to call from
    several processes.
    """
    from llmops.tasks.lake import write_atomically

    folder = home.expanduser().resolve() / "docs"
    written = dt.datetime.now(dt.UTC)
    kinds = [_facts(verdict) for verdict in verdicts]
    facts = {"name": run_name, "written": written.isoformat(), "kinds": kinds}
    body = [
        f"<h1>{html.escape(run_name)}</h1>",
        f"<p class='when'>Validated {written:%Y-%m-%d %H:%M} UTC · <a "
        f"href='index.html'>all builds</a></p>",
        _table("Kind", [(html.escape(str(fact["kind"])), fact) for fact in kinds]),
        _held(held),
    ]
    for verdict in verdicts:
        body += [f"<h2>{html.escape(verdict.kind)}</h2>", _failures(verdict)]
        body += [_documents(verdict), *_sections(verdict)]
    page = folder / f"{_slug(run_name)}.html"
    write_atomically(page, _page(run_name, facts, "\n".join(body)))
    write_atomically(folder / "index.html", _index(folder))
    return page


def forget_docs(home: Path, before: dt.datetime, kept: Collection[str]) -> tuple[int, int]:
    """Remove pages that were written before; `kept`: beginnings of names that stay. Returns how
    many, and their bytes.
    """
    from llmops.tasks.lake import write_atomically

    folder = home.expanduser().resolve() / "docs"
    old = [
        page
        for page in folder.glob("*.html")
        if page.name != "index.html"
        and page.stat().st_mtime < before.timestamp()
        and not page.name.startswith(tuple(kept))
    ]
    size = sum(page.stat().st_size for page in old)
    for page in old:
        page.unlink(missing_ok=True)
    if old:
        write_atomically(folder / "index.html", _index(folder))
    return len(old), size


def _facts(verdict: ValidationVerdict) -> dict[str, str | int]:
    result = "blocks" if verdict.blocking else "passed"
    return {
        "kind": verdict.kind,
        "rows": verdict.rows,
        "expectations": len(verdict.results),
        "result": result,
        "failed": sum(not item["success"] for item in verdict.results),
        "quarantined": verdict.quarantined_count,
    }


def _table(first: str, rows: Sequence[tuple[str, Mapping[str, str | int]]]) -> str:
    lines = [HEADER.format(first)]
    for label, fact in rows:
        shown = (
            "failed" if fact["result"] == "blocks" else "warning" if fact["failed"] else "passed"
        )
        numbers = "".join(
            f"<td class='number'>{fact[name]:,}</td>"
            for name in ("rows", "expectations", "failed", "quarantined")
        )
        word = {"failed": "blocks", "warning": "passed with findings", "passed": "passed"}[shown]
        lines.append(f"<tr><td>{label}</td>{numbers}<td class='{shown}'>{word}</td></tr>")
    return f"<table class='summary'>{''.join(lines)}</table>"


def _held(held: Mapping[str, int]) -> str:
    """What the tables do not count: documents may fail before there is a row to validate."""
    number = sum(held.values())
    if not number:
        return ""
    stages = ", ".join(f"{count:,} at {html.escape(stage)}" for stage, count in held.items())
    documents = "document was" if number == 1 else "documents were"
    return (
        f"<p class='when'>{number:,} {documents} in quarantine when this was written: {stages}. "
        "<code>llmops quarantine list</code> says why.</p>"
    )


def _failures(verdict: ValidationVerdict) -> str:
    """The failed tables and the warnings in words."""
    lines = [f"<li class='failed'>{html.escape(str(failure))}</li>" for failure in verdict.blocking]
    lines += [f"<li class='warning'>{html.escape(warning)}</li>" for warning in verdict.warnings]
    return f"<ul class='failures'>{''.join(lines)}</ul>" if lines else ""


def _documents(verdict: ValidationVerdict) -> str:
    """Which document each failing value is of, the critical ones first."""
    named = sorted(
        (each for each in verdict.failures if each.document),
        key=lambda each: (SEVERITIES.index(each.severity), each.expectation, each.document),
    )
    if not named:
        return ""
    rows = [
        f"<tr><td>{_cell(each.document)}</td><td>{_cell(each.expectation)}</td>"
        f"<td>{_cell(each.value)}</td><td class='{TONES.get(each.severity, 'warning')}'>"
        f"{'quarantined' if each.severity == 'critical' else each.severity}</td></tr>"
        for each in named[:MOST_ROWS]
    ]
    left = len(named) - len(rows)
    more = f"<p class='when'>and {left:,} more values</p>" if left else ""
    head = "<tr><th>Document</th><th>Expectation</th><th>Value</th><th>Then</th></tr>"
    return f"<table class='summary'>{head}{''.join(rows)}</table>{more}"


def _cell(text: str) -> str:
    return html.escape(text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…")


def _sections(verdict: ValidationVerdict) -> Iterator[str]:
    """Great Expectations' own rendering of the results, column by column, without its overview."""
    if not verdict.results:
        return
    great_expectations()
    from great_expectations.core.expectation_validation_result import (
        ExpectationSuiteValidationResult,
    )
    from great_expectations.render.renderer.page_renderer import ValidationResultsPageRenderer

    failed = sum(not item["success"] for item in verdict.results)
    counts = {
        "evaluated_expectations": len(verdict.results),
        "unsuccessful_expectations": failed,
        "successful_expectations": len(verdict.results) - failed,
        "success_percent": None,
    }
    result = ExpectationSuiteValidationResult(
        success=not failed,
        results=[_result(item) for item in verdict.results],
        suite_name=verdict.kind,
        statistics=counts,
        meta={},
    )
    sections = ValidationResultsPageRenderer().render(result).to_json_dict()["sections"]
    for number, section in enumerate(sections[1:]):
        loop = {"index": f"{verdict.kind}-{number}"}
        yield str(_view().render({"section": section, "section_loop": loop}))


@functools.cache
def _view() -> Any:
    """One for all pages: each would compile a dozen templates of its own."""
    from great_expectations.render.view.view import DefaultJinjaSectionView

    return DefaultJinjaSectionView()


def _result(item: Mapping[str, Any]) -> "ExpectationValidationResult":
    from great_expectations.core.expectation_validation_result import ExpectationValidationResult
    from great_expectations.expectations.expectation_configuration import ExpectationConfiguration

    options = {
        **item["options"],
        **({"row_condition": condition(item["where"])} if item["where"] else {}),
    }
    config = ExpectationConfiguration(
        type=name_of_type(item["type"]), kwargs=options, severity=item["severity"]
    )
    nothing = {"raised_exception": False, "exception_message": None, "exception_traceback": None}
    return ExpectationValidationResult(
        success=item["success"],
        expectation_config=config,
        exception_info=nothing,
        result={name: _harmless(value) for name, value in item["result"].items()},
    )


def _harmless(value: object) -> object:
    """Samples of documents go into the page as they are: Great Expectations escapes its own words
    only.
    """
    if isinstance(value, Mapping):
        return {name: _harmless(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_harmless(item) for item in value]
    return html.escape(value) if isinstance(value, str) else value


def _page(title: str, facts: Mapping[str, Any], body: str) -> bytes:
    style = (Path(__file__).parent / "style.css").read_text(encoding="utf-8")
    return PAGE.format(
        title=html.escape(title), facts=html.escape(json.dumps(facts)), style=style, body=body
    ).encode()


def _slug(name: str) -> str:
    """A file name; names that lose characters keep a digest, so that they stay apart."""
    slug = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-.")[:100]
    faithful = slug == re.sub(r" +", "-", name) and slug != "index"
    return slug if faithful else f"{slug or 'build'}-{digest(name)[:8]}"


def _index(folder: Path) -> bytes:
    """Built from what the pages say of themselves, so that nothing is lost when two builds end at
    once.
    """
    pages = sorted(
        filter(None, map(_described, folder.glob("*.html"))),
        key=lambda pair: pair[1]["written"],
        reverse=True,
    )
    rows = []
    for path, facts in pages:
        link = (
            f"<a href='{html.escape(path.name)}'>{html.escape(facts['name'])}</a> · "
            f"{facts['written'][:16].replace('T', ' ')}"
        )
        rows += [(f"{link} · {html.escape(kind['kind'])}", kind) for kind in facts["kinds"]]
    body = (
        f"<h1>Validation of builds</h1><p class='when'>{len(pages)} builds, newest "
        f"first</p>{_table('Build', rows)}"
    )
    return _page("Validation of builds", {}, body)


def _described(path: Path) -> tuple[Path, dict[str, Any]] | None:
    with path.open(encoding="utf-8") as file:
        head = file.read(4000)
    match = re.search(r'<meta name="llmops" content="([^"]*)">', head)
    facts = json.loads(html.unescape(match[1])) if match else {}
    return (path, facts) if facts.get("kinds") else None
