"""How long texts are in tokens, estimated, and what a chat template adds."""

import pytest

from llmops.tasks.datasets.training.lengths import PER_MESSAGE, estimated, tokens_in


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("", 0),
        (" \t\n\u3000", 0),
        ("longer", 1),
        ("longest", 2),
        ("a b, c1234", 2 + 1 + 1 + 4),
        ("über", 2 + 1),
        ("漢字", 4),
        ("١٢", 4),
        ("😀!", 3),
    ],
)
def test_an_estimate_is_of_pieces_and_signs(text: str, tokens: int) -> None:
    assert estimated(text) == tokens


def test_all_texts_of_a_record_count_and_each_message_more() -> None:
    schema = {"properties": {"id": {"type": "text", "description": "one two"}, "n": "three"}}
    record = {
        "messages": [{"role": "user", "content": "one two"}, {"from": "gpt", "value": "three"}],
        "tools": [schema],
        "flag": True,
    }
    assert tokens_in(record, lambda text: len(text.split())) == 2 * PER_MESSAGE + 3 + 1
