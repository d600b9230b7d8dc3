"""What the config of a scoring of live traces takes, and what it refuses."""

import pytest

from llmops.configs import read_mapping
from llmops.configs.score import ScoreConfig
from llmops.tasks.errors import ConfigError

JUDGE = {
    "name": "pairwise_judge",
    "rubric": "Which is kinder?",
    "llm": {"name": "openai", "model": "m"},
}


def test_the_defaults_serve() -> None:
    config = read_mapping({"app": "helpdesk", "scorers": ["refusal"]}, ScoreConfig)
    spec = config.live_spec()
    assert (spec.sample, spec.most, spec.days) == (0.1, 200, 7)
    assert list(spec.fingerprints()) == ["refusal"]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"scorers": []}, "at least 1"),
        ({"scorers": ["refusal", "refusal"]}, "two scorers are called refusal"),
        ({"scorers": [JUDGE]}, "compares two answers"),
        ({"scorers": ["refusal"], "sample": 0}, "greater than 0"),
        ({"scorers": ["nobody"]}, "nobody"),
    ],
)
def test_what_is_wrong_is_said(given: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read_mapping({"app": "helpdesk", **given}, ScoreConfig)
    assert any(said in str(each) for each in caught.value.mistakes())


def test_an_unknown_scorer_is_told_with_its_place_and_all_else_that_is_wrong() -> None:
    wrong = {"app": "helpdesk", "scorers": ["groundd"], "sample": 3}
    with pytest.raises(ConfigError) as caught:
        read_mapping(wrong, ScoreConfig)
    places = [str(each.where) for each in caught.value.mistakes()]
    assert len(places) == 2
    assert any("scorers[0]" in each for each in places)
    assert any("sample" in each for each in places)
