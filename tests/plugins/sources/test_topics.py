"""The source `topics`, and what all sources share: one hash for one original."""

import pytest

from llmops.tasks.errors import DocumentError, UsageError
from llmops.tasks.plugins.sources import Item, Raw, content_hash_of, walk
from llmops.tasks.plugins.sources.topics import TopicsSource
from llmops.tasks.schemas import sha256


def test_all_topics_are_real_texts_with_titles() -> None:
    found = list(walk(TopicsSource()))
    assert len(found) > 50
    for item, raw in found:
        assert isinstance(raw, Raw)
        assert raw.title == item.uri
        assert len(raw.data.decode()) > 100
        assert TopicsSource().content_hash(item) == content_hash_of(raw)


def test_only_some(tmp_path: object) -> None:
    assert [item.uri for item in TopicsSource(only=["while", "for"]).list().items] == [
        "for",
        "while",
    ]
    with pytest.raises(UsageError, match="nonsense"):
        TopicsSource(only=["for", "nonsense"]).check()
    assert [problem.uri for problem in TopicsSource(only=["nonsense"]).list().problems] == [
        "nonsense"
    ]
    with pytest.raises(DocumentError, match="no help topic"):
        TopicsSource().read(Item(uri="nonsense"))


def test_the_hash_covers_bytes_title_and_metadata() -> None:
    bare = Raw(data=b"x")
    assert content_hash_of(bare) == sha256(b"x")
    hashes = {
        content_hash_of(raw)
        for raw in (
            bare,
            Raw(data=b"y"),
            Raw(data=b"x", title="t"),
            Raw(data=b"x", metadata={"a": 1}),
            Raw(data=b"x", title="t", metadata={"a": 1}),
            Raw(data=b"x", metadata={"a": 2}),
        )
    }
    assert len(hashes) == 6
    assert content_hash_of(Raw(data=b"x", metadata={"a": 1, "b": 2})) == content_hash_of(
        Raw(data=b"x", metadata={"b": 2, "a": 1})
    )
