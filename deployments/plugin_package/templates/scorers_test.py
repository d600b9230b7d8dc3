from llmops.deployments.plugin_package.templates.scorers import ExampleScorer
from llmops.tasks.plugins.scorers import Case, Sample


def sample(answer: str) -> Sample:
    return Sample(case=Case(id="1", inputs={"question": "Why?"}), answer=answer)


def test_long_answers_count_for_less() -> None:
    scorer = ExampleScorer(most=2)
    assert scorer.score(sample("two words")).value == 1
    assert scorer.score(sample("these are four words")).value == 0.5


def test_no_answer_is_no_zero() -> None:
    assert ExampleScorer().score(sample("")).value is None
