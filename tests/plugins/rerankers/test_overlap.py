"""The reranker that counts words."""

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.plugins.rerankers.overlap import OverlapReranker


def test_more_of_the_question_is_better_and_its_words_in_a_row_are_best() -> None:
    texts = ["The lamp burns.", "A pier with a lamp.", "The harbour lamp is out.", "Nothing."]
    reranker = Spec(name="overlap").build(Reranker)
    assert isinstance(reranker, OverlapReranker)
    first, second, third, none = reranker.scores("harbour lamp", texts)
    assert third == 1.0
    assert 0 == none < first == second < third


def test_languages_without_spaces() -> None:
    away, there = OverlapReranker().scores("港の灯台", ["船は出た。", "港の灯台は古い。"])
    assert 0 == away < 0.9 < there


def test_a_question_of_one_word_can_be_answered_whole() -> None:
    assert OverlapReranker().scores("lamp", ["lamp", "pier"]) == [1.0, 0.0]
