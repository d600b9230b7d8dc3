"""When a judge is trusted, what a calibration pays, and mistakes in labels."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.tasks.errors import BudgetExceeded, ConfigError, UsageError
from llmops.tasks.evaluation.calibration import trust
from llmops.tasks.plugins import Spec
from tests.evaluation.calibrations import Body, Office, grades, says
from tests.openai_server import Service, serving


@pytest.fixture
def service() -> Iterator[Service]:
    with serving(says) as found:
        yield found


@pytest.fixture
def office(tmp_path: Path, service: Service) -> Office:
    return Office(tmp_path, service)


def test_a_judge_without_a_floor_is_measured_and_trusted(office: Office) -> None:
    office.labels(grades([(1, 0), (0, 1)] * 5))
    one = office.calibrate(office.judge(scale="binary"))["judges"]["judge"]
    assert (one["floor"], one["trusted"]) == (None, True)
    assert one["kappa"] == pytest.approx(-1)
    assert trust(office.home, office.judge(scale="binary")) is None
    assert trust(office.home, Spec(name="exact_match")) is None


def test_trust_ends_when_the_judge_or_its_labels_change(office: Office) -> None:
    office.labels(grades([(1, 1), (0, 0)] * 30))
    spec = office.judge(scale="binary", floor=0.6)
    assert "never been compared with people" in (trust(office.home, spec) or "")
    office.calibrate(spec)
    assert trust(office.home, spec) is None
    assert trust(office.home, spec, office.folder) is None
    elsewhere = {
        "base_url": "http://127.0.0.1:9/v1",
        "api_key": "sk-other",
        "requests_per_minute": 5,
    }
    assert trust(office.home, office.judge(scale="binary", floor=0.6, llm=elsewhere)) is None
    changes: list[Body] = [
        {"rubric": "Be kind."},
        {"llm": {"model": "large"}},
        {"llm": {"temperature": 1.0}},
        {"scale": "0-1"},
        {"repeats": 3},
    ]
    for change in changes:
        other = office.judge(**{"scale": "binary", "floor": 0.6, **change})
        assert "never been compared with people" in (trust(office.home, other) or "")
    file = office.folder / "labels.jsonl"
    before = file.read_text()
    file.write_text(before.replace("\n", "\n\n").replace(": ", ":  "))
    assert trust(office.home, spec) is None
    file.write_text(before.replace('"label": 0', '"label": 1', 1))
    assert "have changed" in (trust(office.home, spec) or "")
    assert "have changed" in (trust(office.home, spec, office.folder) or "")
    assert "have changed" in (
        trust(office.home, office.judge(scale="binary", floor=0.6, labels="others.jsonl")) or ""
    )
    file.unlink()
    assert "cannot be read any more" in (trust(office.home, spec) or "")


def test_nothing_is_paid_twice_and_the_same_labels_give_the_same_numbers(
    office: Office, service: Service
) -> None:
    office.labels(grades([(1, 1), (0, 0), (1, 0)] * 10))
    spec = office.judge(scale="binary", floor=0.2)
    first = office.calibrate(spec)
    again = office.calibrate(spec)
    assert again["judges"] == first["judges"]
    assert (again["spent"]["calls"], again["spent"]["cached"], len(service.requests)) == (0, 30, 30)


def test_when_the_budget_ends_nothing_is_concluded_and_a_rerun_goes_on(
    office: Office, service: Service
) -> None:
    office.labels(grades([(1, 1), (0, 0)] * 15))
    spec = office.judge(scale="binary", floor=0.2)
    with pytest.raises(BudgetExceeded, match="budget of 20 calls"):
        office.calibrate(spec, budget_calls=20)
    assert trust(office.home, spec) is not None
    found = office.calibrate(spec, budget_calls=20)
    assert (found["spent"]["calls"], found["spent"]["cached"], len(service.requests)) == (
        10,
        20,
        30,
    )
    assert found["judges"]["judge"]["trusted"] is True


def test_a_price_that_nobody_knows_and_a_budget_in_dollars(
    office: Office, service: Service
) -> None:
    office.labels(grades([(1, 1)]))
    with pytest.raises(ConfigError, match="price"):
        office.calibrate(office.judge(scale="binary"), budget_usd=1.0)
    assert not service.requests


def test_judges_that_share_a_file_and_judges_without_one(office: Office) -> None:
    office.labels(grades([(1, 1), (0, 0)] * 10))
    quiet = office.judge(scale="binary", id="quiet", labels=None)
    found = office.calibrate(
        office.judge(scale="binary"),
        office.judge(scale="binary", id="second", rubric="Another."),
        quiet,
    )
    assert list(found["judges"]) == ["judge", "second"]
    with pytest.raises(UsageError, match="no judge of this config has labels"):
        office.calibrate(quiet, Spec(name="exact_match"))


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (
            '{"id": "l0", "question": "q", "answer": "judge=1", "label": 1}',
            "'l0' stands here a second time",
        ),
        (
            '{"id": "x", "question": "q", "answer": "judge=1", "label": 7}',
            "the grade must be one of 0, 1",
        ),
        (
            '{"id": "x", "question": "q", "answer": "judge=1", "labels": [1, "seven"]}',
            "the grade must be one of 0, 1",
        ),
        ('{"id": "x", "question": "q", "label": 1}', "`answer` is wanted"),
        ('{"id": "x", "answer": "a", "label": 1}', "`question` or `inputs`"),
        ('{"id": "x", "question": "q", "answer": "a", "label": 1, "lable": 1}', "lable"),
        ('{"id": ', "not JSON"),
        ("[1]", "dictionary"),
        (
            '{"id": "x", "question": "q", "answer": "a", "label": 1, "passages": [7]}',
            "a passage is a text",
        ),
    ],
)
def test_mistakes_of_labels_are_told_with_their_lines(
    office: Office, service: Service, line: str, said: str
) -> None:
    office.labels(grades([(1, 1), (0, 0)]))
    with (office.folder / "labels.jsonl").open("a") as file:
        file.write(f"\n{line}\n{{}}\n")
    with pytest.raises(ConfigError) as error:
        office.calibrate(office.judge(scale="binary"))
    assert said in error.value.found[0].message
    assert error.value.found[0].where.endswith("labels.jsonl:3")
    assert error.value.found[1].where.endswith("labels.jsonl:4")
    assert not service.requests


def test_labels_that_are_not_there_or_empty_or_ungraded(office: Office) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        office.calibrate(office.judge())
    office.labels([])
    with pytest.raises(ConfigError, match="no answer in this file is graded"):
        office.calibrate(office.judge())
    office.labels([{"answer": "judge=1"}])
    with pytest.raises(ConfigError, match="no answer in this file is graded"):
        office.calibrate(office.judge())


def test_a_judge_of_pairs_wants_pairs_and_an_expected_answer_where_it_sees_it(
    office: Office,
) -> None:
    office.labels(grades([(1, 1)]))
    with pytest.raises(ConfigError, match="`a` and `b` are wanted"):
        office.calibrate(office.judge("pairwise_judge"))
    with pytest.raises(ConfigError, match=r"expected\.answer is missing"):
        office.calibrate(office.judge(sees=["expected"]))
