"""What opened sources say, and where they say nothing."""

from pathlib import Path

from llmops.tasks.datasets.clicked import MOST_OPENED, clicked
from llmops.tasks.datasets.words import words
from llmops.tasks.retrieval.golden import Question, Relevant
from llmops.tasks.traces.clicks import opened
from llmops.tasks.training.spec import weakly_judged
from tests.datasets.made import APP, answered, delete, review, say

ANSWER = "Your password is reset on the page of your account."


def found(home: Path, kb: str = "handbook") -> list[Question]:
    return clicked(home, APP, kb, words(home, APP, APP, "reviewers"))


def test_an_opened_source_is_a_question_with_its_passage(tmp_path: Path) -> None:
    trace = answered(tmp_path, answer=ANSWER)
    opened(tmp_path, trace.id, "p", "a1", 3)
    (question,) = found(tmp_path)
    assert question.relevant == (Relevant(uri="accounts.md", quote=ANSWER),)
    assert (question.tags, question.lineage) != ((), None)
    assert found(tmp_path, "other") == []


def test_it_says_nothing_where_somebody_said_more(tmp_path: Path) -> None:
    """Rated down by anybody, reviewed, refused, deleted, or opened all over."""
    names = ("down", "up", "reviewed", "withdrawn", "deleted", "many", "absent")
    traces = {name: answered(tmp_path, f"{name}?", ANSWER).id for name in names}
    traces["refused"] = answered(tmp_path, "refused?", "No.", status="refused").id
    for name, trace in traces.items():
        opened(tmp_path, trace, "p", "zz" if name == "absent" else "a1", 3)
    for number in range(MOST_OPENED):
        opened(tmp_path, traces["many"], "q", f"b{number}", 3)
    say(tmp_path, traces["down"], "down", person="nobody in particular")
    say(tmp_path, traces["up"], "up", person="nobody in particular")
    review(tmp_path, traces["reviewed"], "r", "discard")
    review(tmp_path, traces["withdrawn"], "r", "withdrawn")
    delete(tmp_path, traces["deleted"])
    assert {each.question for each in found(tmp_path)} == {"up?", "withdrawn?"}


def test_clicks_are_never_more_than_judgements_and_never_about_the_same() -> None:
    def question(name: str) -> Question:
        return Question(id=name, question=name, relevant=(Relevant(uri="a"),))

    judged = [question("one"), question("two")]
    clicks = [question(name) for name in ("ONE ", "three", "four", "five")]
    assert [each.id for each in weakly_judged(judged, clicks)] == ["three", "four"]
