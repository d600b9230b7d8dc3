"""An error says the same wherever it was raised."""

import pickle

from llmops.tasks.chat.drafts import DraftMistake, DraftMistakes
from llmops.tasks.errors import Blocked, ConfigError, LlmopsError, Mistake
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
