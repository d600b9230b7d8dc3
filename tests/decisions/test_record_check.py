"""Decision records computed again from themselves alone: what stands, and what does not."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.decisions.verify import recomputed, verify
from llmops.tasks.errors import Damaged, LlmopsError, UsageError
from tests.commandline import llmops, refused
from tests.decisions.decided import Record, decided
from tests.decisions.measured import saved, sealed


@pytest.fixture(scope="module")
def record(tmp_path_factory: pytest.TempPathFactory) -> Record:
    return decided(tmp_path_factory.mktemp("home"))


def test_what_is_added_later_is_not_covered_by_the_hash(record: Record) -> None:
    later = {
        **record,
        "links": {"mlflow": "x"},
        "mlflow_run_id": "r",
        "prefect_run_id": "p",
        "record": "f",
        "promoted": {"version": 2},
        "remarks": ["MLflow is down"],
    }
    assert recomputed(later) == []


Edit = Callable[[Record], Any]
EDITS: dict[str, Edit] = {
    "verdict": lambda r: r.update(verdict="reject"),
    "candidate": lambda r: r.update(candidate="third"),
    "difference": lambda r: r.update(difference=r["difference"] + 1e-4),
    "p value": lambda r: r.update(p_value=0.5),
    "interval": lambda r: r["interval"].__setitem__(0, -1.0),
    "a value of a pair": lambda r: r["pairs"]["values"]["candidate"]["token_f1"].__setitem__(
        3, 1.0
    ),
    "a value that is no number": lambda r: r["pairs"]["values"]["candidate"][
        "token_f1"
    ].__setitem__(3, "1"),
    "errors": lambda r: r["pairs"]["errors"]["candidate"].__setitem__(0, 5),
    "an arm's mean": lambda r: r["arms"]["candidate"]["metrics"]["token_f1"].update(value=0.99),
    "an arm's count": lambda r: r["arms"]["candidate"].update(answered=91),
    "an arm's cost": lambda r: r["arms"]["candidate"].update(cost_usd=0.0),
    "a percentile": lambda r: r["arms"]["candidate"]["latency_ms"].update(p95=1.0),
    "another arm's verdict": lambda r: r["comparisons"]["third"].update(verdict="promote"),
    "a guard": lambda r: r["comparisons"]["third"]["metrics"]["latency"].update(holds=False),
    "an adjusted p": lambda r: r["comparisons"]["candidate"].update(adjusted_p=1e-9),
    "a tag": lambda r: r["comparisons"]["candidate"]["tags"].pop("odd"),
    "a tag that never was": lambda r: r["comparisons"]["candidate"]["tags"].update(
        new=r["comparisons"]["candidate"]["tags"]["odd"]
    ),
    "the rule": lambda r: r["rule"].update(alpha=0.4),
    "the rule's guards": lambda r: r["rule"].update(not_worse={}),
    "the config": lambda r: r["config"].update(name="another"),
    "the count of cases": lambda r: r["cases"].update(used=91),
    "cases that were not asked": lambda r: r["cases"].update(total=200),
    "why it ended": lambda r: r.update(stopped="the budget"),
    "a case less": lambda r: r["pairs"]["cases"].pop(),
    "a case twice": lambda r: r["pairs"]["cases"].__setitem__(1, "c0"),
    "promote": lambda r: r.update(promote={"prompt": "other", "alias": "champion"}),
    "a prompt": lambda r: r["prompts"].update(candidate="prompts/other.yaml"),
    "an untrusted judge": lambda r: r.update(untrusted={"token_f1": "never"}),
    "no pairs": lambda r: r.pop("pairs"),
    "pairs of nothing": lambda r: r.update(pairs=None),
    "arms of nothing": lambda r: r.update(arms=[]),
    "groups": lambda r: r["pairs"].update(groups=[None] * 90),
    "a look that never was": lambda r: r.update(looks=[{"cases": 5, "comparisons": {}}]),
    "an infinite value": lambda r: r["pairs"]["values"]["candidate"]["token_f1"].__setitem__(
        0, float("inf")
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_record_does_not_stand_even_with_a_new_hash(record: Record, name: str) -> None:
    edited = copy.deepcopy(record)
    EDITS[name](edited)
    assert recomputed(edited) != []
    assert recomputed(sealed(edited)) != []


def test_a_record_nested_without_end_does_not_stand(record: Record) -> None:
    deep: list[Any] = []
    for _ in range(5000):
        deep = [deep]
    assert recomputed({**record, "config": {"decide": deep}}) == [
        "it is nested too deeply to be read"
    ]


def test_edited_warnings_are_noticed(record: Record) -> None:
    for warnings in ([], ["all is well"]):
        assert (
            recomputed({**sealed({**record, "warnings": ["10 % failed"]}), "warnings": warnings})
            != []
        )


def test_an_edited_reason_is_noticed_by_the_hash_alone(record: Record) -> None:
    edited = {**record, "reason": "because"}
    assert recomputed(edited) == ["the record was changed: its sha256 is not that of its content"]
    assert recomputed(sealed(edited)) == []


def test_problems_name_the_place_and_both_numbers(record: Record) -> None:
    edited = copy.deepcopy(record)
    edited["comparisons"]["candidate"]["metrics"]["token_f1"]["difference"] = 0.5
    assert any(
        one.startswith(
            "comparisons.candidate.metrics.token_f1.difference: the record says 0.5, its "
            "pairs give 0.1"
        )
        for one in recomputed(edited)
    )


@pytest.mark.parametrize(
    ("content", "error", "says"),
    [
        ("not json", Damaged, "cut off"),
        ("", Damaged, "cut off"),
        ("[1, 2]", UsageError, "its kind is null"),
        ("{}", UsageError, "its kind is null"),
        ('{"kind": "llmops.decision/2"}', UsageError, "newer llmops"),
        ('{"kind": "other/1"}', UsageError, 'its kind is "other/1"'),
        (
            '{"kind": "llmops.decision/1", "verdict": "reject", "verdict": "promote"}',
            Damaged,
            'the key "verdict" stands in it twice',
        ),
        ('{"kind": "llmops.decision/1", "pairs": {"a": 1, "a": 1}}', Damaged, "twice"),
        (f'{{"kind": "llmops.decision/{"7" * 5000}"}}', UsageError, "not a decision record"),
        ("[" * 100_000, Damaged, "cut off"),
        ('{"kind": "llmops.decision/x"}', UsageError, "llmops.decision/1"),
    ],
)
def test_what_is_no_record_is_refused_with_a_reason(
    tmp_path: Path, content: str, error: type[LlmopsError], says: str
) -> None:
    path = tmp_path / "decision.json"
    path.write_text(content)
    with pytest.raises(error, match=says):
        verify(path)


def test_a_record_without_its_keys_does_not_stand(tmp_path: Path) -> None:
    path = tmp_path / "decision.json"
    path.write_text('{"kind": "llmops.decision/1", "verdict": "promote"}')
    found = verify(path)
    assert not found["ok"]
    assert found["problems"][0].startswith("the record lacks id, name")


@pytest.fixture
def office(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Record:
    monkeypatch.setenv("LLMOPS_HOME", str(tmp_path))
    return saved(tmp_path, decided(tmp_path))


def test_the_command_verifies_shows_and_lists(office: Record, tmp_path: Path) -> None:
    assert llmops("decision", "verify", office["record"], "--json").data["ok"] is True
    assert (
        "The decision stands: helpdesk, promote"
        in llmops("decision", "verify", office["record"]).out
    )
    assert [one["id"] for one in llmops("decision", "list", "--json").data["decisions"]] == [
        "helpdesk-1"
    ]
    assert (
        llmops("decision", "list", "--name", "other").out.strip()
        == "No decision has been made here."
    )
    for place in ("helpdesk-1", office["record"]):
        assert llmops("decision", "show", place, "--json").data["sha256"] == office["sha256"]
    assert "helpdesk: promote" in llmops("decision", "show", "helpdesk-1").out
    assert llmops("decision", "show", "helpdesk-1", "--markdown").out.startswith(
        "## helpdesk: ✅ promote"
    )


def test_the_command_ends_with_1_for_a_record_that_does_not_stand(
    office: Record, tmp_path: Path
) -> None:
    path = tmp_path / "edited.json"
    path.write_text(json.dumps({**office, "verdict": "reject"}))
    said = llmops("decision", "verify", path)
    assert said.code == 1
    assert "does not stand" in said.out
    assert 'verdict: the record says "reject", its pairs give "promote"' in said.out


def test_the_command_says_what_is_wrong_with_a_file(office: Record, tmp_path: Path) -> None:
    path = tmp_path / "cut.json"
    path.write_text(Path(office["record"]).read_text()[:3000])
    refused(1, "cut off", "decision", "verify", path)
    refused(2, "no such file", "decision", "verify", tmp_path / "missing.json")
    refused(2, "decisions of this home: helpdesk-1", "decision", "show", "nothing")


def test_show_of_what_is_hardly_a_record_names_what_it_lacks(
    office: Record, tmp_path: Path
) -> None:
    path = tmp_path / "odd.json"
    path.write_text('{"kind": "llmops.decision/1"}')
    for words in (("show",), ("show", "--markdown")):
        refused(1, "it lacks id, name, sha256, verdict", "decision", *words, path)
    path.write_text(f'{{"kind": "llmops.decision/{"7" * 5000}"}}')
    for word in ("show", "verify"):
        refused(2, "not a decision record", "decision", word, path)


ODD: dict[str, Edit] = {
    "links": lambda r: r.update(links="x"),
    "warnings": lambda r: r.update(warnings=None),
    "verdict": lambda r: r.update(verdict="foo"),
    "arms.candidate.metrics.token_f1.value": lambda r: r["arms"]["candidate"]["metrics"][
        "token_f1"
    ].update(value="0.5"),
    "comparisons.third.metrics.latency.interval": lambda r: r["comparisons"]["third"]["metrics"][
        "latency"
    ].update(interval=[1.0]),
    "rule.alpha": lambda r: r["rule"].pop("alpha"),
    "there is no arm 'x'": lambda r: r.update(candidate="x"),
    "cases.used": lambda r: r["cases"].pop("used"),
    "arms": lambda r: r.update(arms={}),
    "pairs": lambda r: r.update(pairs=[]),
    "values.candidate.token_f1 has 1": lambda r: r["pairs"]["values"]["candidate"].update(
        token_f1=[0.5]
    ),
    "remarks": lambda r: r.update(remarks=["a", 1]),
    "promote": lambda r: r.update(promote=None, promoted={"version": 2}),
}


@pytest.mark.slow
@pytest.mark.parametrize("place", ODD)
def test_show_of_an_odd_record_names_the_place(office: Record, tmp_path: Path, place: str) -> None:
    edited = json.loads(Path(office["record"]).read_text())
    ODD[place](edited)
    path = tmp_path / "odd.json"
    path.write_text(json.dumps(edited))
    for words in (("show",), ("show", "--markdown")):
        refused(1, f"cannot be shown: .*{place}", "decision", *words, path)


def test_show_prints_warnings_and_remarks(office: Record, tmp_path: Path) -> None:
    path = tmp_path / "said.json"
    path.write_text(
        json.dumps({**office, "warnings": ["some failed"], "remarks": ["MLflow was down"]})
    )
    for said in (
        llmops("decision", "show", path).out,
        llmops("decision", "show", "--markdown", path).out,
    ):
        assert "some failed" in said
        assert "MLflow was down" in said
