"""The report of a decision: one HTML file that needs nothing else, and believes nothing that a
model wrote.
"""

import base64
import hashlib
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from llmops.tasks.decisions.charts import forests
from llmops.tasks.decisions.charts_pareto import scatters
from llmops.tasks.decisions.record_check import evidence_of
from llmops.tasks.decisions.report_cases import rows
from llmops.tasks.decisions.summary import effect
from llmops.tasks.decisions.verdict_words import number, percent
from llmops.tasks.evaluation.cases import CaseSet
from llmops.tasks.evaluation.run import Result

FOLDER = Path(__file__).parent
CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")
SIGNS = {"promote": "▲", "reject": "▼", "inconclusive": "◆"}
OUTCOMES = {"win": "▲ won", "loss": "▼ lost", "tie": "= even", "error": "! error"}


def report_html(record: Mapping[str, Any], results: Iterable[Result], cases: CaseSet) -> str:
    """The report, some megabytes at most. `results`: of all parts, streamed once.

    It runs only the script and style that it carries (by their hashes), loads nothing, and shows
    all texts as text.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    shown, left = rows(record, evidence_of(record), results, cases)
    house = Environment(
        loader=FileSystemLoader(FOLDER),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    house.filters |= {"figure": number, "percent": percent, "effect": effect}
    style, script = _part("report.css"), _part("report.js")
    tags = sorted({tag for row in shown for tag in row.tags})
    counts = {name: sum(row.outcome == name for row in shown) for name in OUTCOMES}
    written = house.get_template("report.html.j2").render(
        record=record,
        reason=record["reason"].split("; "),
        rows=shown,
        left=left,
        full=sum(row.full for row in shown),
        forests=forests(record),
        scatters=scatters(record),
        tags=tags,
        signs=SIGNS,
        outcomes=OUTCOMES,
        counts=counts,
        style=style,
        script=script,
        numbers=_columns(record),
        style_hash=_hash(style),
        script_hash=_hash(script),
    )
    return CONTROL.sub("\ufffd", written)


def _columns(record: Mapping[str, Any]) -> list[str]:
    """The metrics of the table of arms: the deciding one, the guards, then the others; parts of
    scorers are left to the record.
    """
    deciding = [record["metric"], *record["rule"]["not_worse"]]
    there = {name for arm in record["arms"].values() for name in arm["metrics"]}
    return [
        name
        for name in dict.fromkeys([*deciding, *sorted(name for name in there if "." not in name)])
        if name in there
    ]


def _part(name: str) -> Any:
    from markupsafe import Markup

    return Markup((FOLDER / name).read_text(encoding="utf-8"))


def _hash(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
