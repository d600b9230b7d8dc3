"""A function, or an object of a class, by its import path."""

from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.scorers import Sample, Scorer
from tests.plugins.scorers.samples import sample

HERE = "tests.plugins.scorers.others"
SAMPLE = sample("Paris", {"answer": ["London", "Paris!"], "label": 3}, ["a", "b"], "Where?")


def built(name: str, **options: Any) -> Scorer:
    return Spec(name="function", options={"path": f"{HERE}:{name}", **options}).build(Scorer)


def test_parameters_get_what_they_are_called() -> None:
    score = built("said").score(SAMPLE)
    assert (score.value, score.reason) == (1.0, "Where? Paris 2")
    assert built("said", options={"least": 3}).score(SAMPLE).value == 0.0


def test_of_several_expected_answers_the_best_counts() -> None:
    scorer = built("overlap", arguments={"wanted": "expected.answer"})
    assert scorer.score(SAMPLE).value == pytest.approx(5 / 6)
    assert scorer.missing(sample("x").case) == "expected.answer is missing"
    assert scorer.score(sample("x")).reason == "expected.answer is missing"


def test_a_library_s_own_function() -> None:
    given = {"path": "operator:eq", "arguments": {"a": "answer", "b": "expected.label"}}
    with pytest.raises(ValidationError, match=r"has no parameter") as caught:
        Spec(name="function", options={**given, "arguments": {"x": "answer"}}).build(Scorer)
    assert "it takes a, b" in str(caught.value)
    assert Spec(name="function", options=given).build(Scorer).score(SAMPLE).value == 0.0
    assert (
        Spec(name="function", options=given).build(Scorer).score(sample("3", {"label": "3"})).value
        == 1.0
    )


def test_places_before_the_bar_and_fields_of_a_structured_answer() -> None:
    scorer = built("second", arguments={"label": "parsed.label"}, values={"7Paris": 0.4})
    assert scorer.score(SAMPLE.model_copy(update={"parsed": {"label": 7}})).value == 0.4


def test_a_function_that_waits() -> None:
    one = sample("Paris", {"answer": "Paris"})
    score = built("waits").score(one)
    assert (score.value, score.reason, score.parts) == (1.0, "waited", {"length": 5.0})


def test_an_object_of_a_class_and_grades_in_words() -> None:
    scorer = built("Longest", options={"most": 5}, values={"good": 1, "poor": 0})
    assert [scorer.score(sample(text)).value for text in ("12345", "123456")] == [1.0, 0.0]
    turned = built("Longest", options={"most": 5}, values={"good": 0.9}, complement=True)
    assert turned.score(sample("1")).value == pytest.approx(0.1)
    unknown = built("Longest", options={"most": 5}).score(sample("1"))
    assert unknown.failed
    assert "say what it is worth in `values: {good: 0.5}`" in unknown.reason


def test_objects_among_the_options() -> None:
    inner = {"path": f"{HERE}:Longest", "options": {"most": 1}}
    member = {"path": f"{HERE}:Mood.GLAD", "as_is": True}
    made: Any = built("Longest", options={"most": 5, "among": [inner, member]})
    from tests.plugins.scorers.others import Longest, Mood

    among = made._made.among
    assert isinstance(among[0], Longest)
    assert among[1] is Mood.GLAD


def test_keys_change_no_fingerprint() -> None:
    given = {"path": f"{HERE}:Longest"}
    one, other, more = (
        built("Longest", options={"most": 5, "among": {**given, "options": options}}).fingerprint()
        for options in (
            {"most": 1, "among": {"api_key": "a"}},
            {"most": 1, "among": {"api_key": "b"}},
            {"most": 2, "among": {"api_key": "a"}},
        )
    )
    assert one == other != more


def test_what_it_raises_is_left_to_the_run() -> None:
    from llmops.tasks.evaluation.judging import marks

    (score,) = marks(built("breaks"), [SAMPLE])
    assert score.failed
    assert "RuntimeError: cannot read Paris (others.py" in score.reason


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"path": f"{HERE}:overlop"}, "did you mean overlap?"),
        ({"path": "no.such:thing"}, "path: no.such cannot be imported"),
        ({"path": "nothing"}, "an import path is wanted, such as package.module:name"),
        ({"path": f"{HERE}:overlap"}, "as in `arguments: {wanted: expected.answer}`"),
        ({"path": f"{HERE}:overlap", "arguments": {"wanted": "reply"}}, "got 'reply'; allowed"),
        ({"path": f"{HERE}:said", "options": {"most": 1}}, "does not take these options"),
        ({"path": f"{HERE}:Longest"}, "refuses them"),
        ({"path": f"{HERE}:Longest", "options": {"most": 1, "x": 1}}, "it takes most, among"),
        ({"path": f"{HERE}:Mood.GLAD"}, "is no class and no function: Mood"),
        ({"path": "difflib:SequenceMatcher"}, "the class has no __call__"),
        (
            {"path": f"{HERE}:Longest", "options": {"most": {"path": f"{HERE}:Mood.GLAD"}}},
            "cannot be called; `as_is: true` takes it as it is",
        ),
    ],
)
def test_mistakes_are_told_when_the_config_is_read(options: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError) as caught:
        Spec(name="function", options=options).build(Scorer)
    assert says in str(caught.value)


def test_the_sample_itself() -> None:
    path = {"path": f"{__name__}:tokens"}
    assert Spec(name="function", options=path).build(Scorer).score(SAMPLE).value == 0.0


def tokens(sample: Sample) -> int:
    return sample.tokens_in
