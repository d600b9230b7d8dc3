"""A decision as Markdown and as JUnit XML."""

import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from llmops.tasks.decisions.decision import Figures
from llmops.tasks.decisions.summary import junit, losses, summary_markdown
from tests.decisions.measured import (
    case_set,
    evaluation_run,
    noisy,
    parts_of,
    recorded,
    settings,
    typed,
)
from tests.decisions.reported import HOSTILE, RULE, made


def test_the_summary_has_verdict_arms_effects_and_losses(tmp_path: Path) -> None:
    record, _, _ = made(tmp_path)
    text = summary_markdown(typed(record))
    assert text.startswith("## helpdesk: ✅ promote")
    linked = typed({**record, "links": {"prefect": "http://ui/p-1"}, "warnings": ["too few"]})
    # else Markdown takes links for more of the warnings above them
    assert "- too few\n\n### Records\n\n- prefect: " in summary_markdown(linked)
    assert "| candidate | prompts/candidate.yaml | 60 of 60 | 0 |" in text
    assert "**token\\_f1**" in text
    assert "guard\\: holds" in text
    worst = losses(typed(record))
    assert len(worst) == 5
    assert [float(row[3]) for row in worst] == sorted(float(row[3]) for row in worst)
    assert all(f"| {row[0]} |" in text for row in worst)


def test_the_summary_shows_hostile_text_as_text(tmp_path: Path) -> None:
    record, _, _ = made(tmp_path, hostile=True)
    text = summary_markdown(
        typed(
            {
                **record,
                "reason": HOSTILE,
                "name": "a | b\n# c @team",
                "warnings": ["[x](http://evil) <img>"],
            }
        )
    )
    assert "<script" not in text
    assert "<img" not in text
    assert "\n# c" not in text
    assert "](" not in text.replace("\\](", "").replace("\\]\\(", "")
    assert "\\@team" in text
    assert text.count("\n") < 60


def outcomes(record: dict[str, Any]) -> dict[str, str]:
    root = ElementTree.fromstring(junit(typed(record)))
    return {
        str(case.get("name")): case[0].tag if len(case) else "passed"
        for case in root.iter("testcase")
    }


def test_the_xml_has_a_test_per_rule_and_counts_what_it_says(tmp_path: Path) -> None:
    record, _, _ = made(tmp_path)
    found = outcomes(record)
    assert found == {
        "token_f1: better": "passed",
        "latency: not worse by 0.2": "passed",
        "errors of baseline: at most 2 %": "passed",
        "errors of candidate: at most 2 %": "passed",
    }
    assert (
        outcomes(
            {
                **record,
                "comparisons": {
                    "candidate": {**record["comparisons"]["candidate"], "verdict": "reject"}
                },
            }
        )["token_f1: better"]
        == "failure"
    )
    assert (
        outcomes(
            {
                **record,
                "comparisons": {
                    "candidate": {**record["comparisons"]["candidate"], "verdict": "inconclusive"}
                },
            }
        )["token_f1: better"]
        == "skipped"
    )


def test_the_xml_follows_the_schema_that_ci_systems_read(tmp_path: Path) -> None:
    run, cases = evaluation_run(tmp_path), case_set(60)
    base = noisy(60, 0.5)
    parts = parts_of(run, cases, {"baseline": base, "candidate": [*[None] * 5, *base[5:]]})
    record = recorded(run, RULE, parts, cases, **settings(RULE))
    text = junit(typed({**record, "name": 'a <b> & \x00 "c"', "reason": HOSTILE}))
    root = ElementTree.fromstring(text)
    assert root.tag == "testsuites"
    assert {suite.tag for suite in root} == {"testsuite"}
    for suite in root:
        cases_of = suite.findall("testcase")
        assert int(suite.get("tests", "")) == len(cases_of) > 0
        for kind, count in (("failure", "failures"), ("error", "errors"), ("skipped", "skipped")):
            assert int(suite.get(count, "")) == sum(len(one.findall(kind)) for one in cases_of)
        assert all(one.get("name") and one.get("classname") and one.get("time") for one in cases_of)
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", suite.get("timestamp", ""))
    assert int(root.get("errors", "")) == 6
    assert {one for one in outcomes(record) if one.endswith("(candidate)")} == {
        f"c{number} (candidate)" for number in range(5)
    }


def test_what_is_the_same_on_all_cases_is_said_in_words(tmp_path: Path) -> None:
    from llmops.tasks.decisions.summary import effect

    ends = [-0.232, 0.232]
    same = Figures(difference=0.0, interval=ends, p_value=1.0, n=5, note="no case differs")
    assert effect(same) == "the same on all"
    assert effect(same.model_copy(update={"note": ""})) == "+0 [-0.232, +0.232]"
