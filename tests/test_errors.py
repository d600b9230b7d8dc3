"""An error says the same wherever it was raised."""

import pickle

import pytest

from llmops.tasks.chat.drafts import DraftMistake, DraftMistakes
from llmops.tasks.errors import Blocked, ConfigError, LlmopsError, Mistake, did_you_mean
from llmops.tasks.plugins.senders import Later

MISTAKES = [Mistake("it is wrong", "a.yaml", "correct it"), Mistake("this too", "b.yaml")]


def test_an_error_of_another_process_says_all_that_it_said_there() -> None:
    raised: list[LlmopsError] = [
        ConfigError(MISTAKES),
        Blocked("no", hint="look", where="the gate"),
        Later("wait", after=3.0),
        DraftMistakes([DraftMistake("empty")]),
    ]
    received = [pickle.loads(pickle.dumps(each)) for each in raised]
    assert list(map(type, received)) == list(map(type, raised))
    assert [each.mistakes() for each in received] == [each.mistakes() for each in raised]
    assert received[0].args == raised[0].args
    assert received[2].after == 3.0


@pytest.mark.parametrize(
    ("given", "meant"),
    [
        ("keep_days", ""),  # of alerts_days it has the word that says nothing
        ("alert_days", "did you mean alerts_days?"),
        ("alerts", "did you mean alerts_days?"),
        ("log_days", "did you mean logs_days?"),
    ],
)
def test_names_that_share_a_word_alone_are_not_meant(given: str, meant: str) -> None:
    assert did_you_mean(given, ["alerts_days", "logs_days"]) == meant
