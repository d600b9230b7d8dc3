"""What a plan will cost: learned from what the base has seen, and honest where it has seen
nothing.
"""

from collections.abc import Mapping
from pathlib import Path

import pytest

from llmops.tasks.knowledge.build import Todo
from llmops.tasks.knowledge.estimate import Estimate, estimate
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.sizes import SizeSum, SizeTally, kind_of
from llmops.tasks.knowledge.start import start
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.sources import Item
from tests.workshop import TEXTS, Workshop


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    return Workshop(tmp_path, Spec(name="lancedb"))


def todo(uri: str, size: int, kind: str = "new") -> Todo:
    item = Item(uri=uri, size=size)
    return Todo.model_validate(
        {"doc_id": uri, "source": "memory", "uri": uri, "kind": kind, "item": item}
    )


def asked(shop: Workshop, *todos: Todo, sizes: Mapping[str, SizeSum] | None = None) -> Estimate:
    build = start(shop.handle, shop.specs({}))
    return estimate(build, Plan(todo=list(todos), sizes=dict(sizes or {})), 2.0)


def seen(ratio: float, documents: int = 20, size: int = 1_000) -> SizeSum:
    found = SizeTally()
    for _ in range(documents):
        found.add(size, round(ratio * size))
    return found.sum()


def test_a_first_build_is_guessed_by_the_kinds_of_files(shop: Workshop) -> None:
    text, paper = asked(shop, todo("a.md", 10_000)), asked(shop, todo("a.pdf", 10_000))
    assert (text["sure"], text["likely_tokens"]) == ("guessed", 2_500)
    assert text["least_tokens"] < text["likely_tokens"] < text["tokens"]
    assert paper["tokens"] < text["least_tokens"]  # most of a PDF is no text
    assert text["cost_usd"] == pytest.approx(2 * text["tokens"] / 1e6)


def test_a_base_that_has_seen_the_kind_gives_a_narrow_range(shop: Workshop) -> None:
    shop.build(TEXTS)
    found = asked(shop, todo("a.md", 10_000), sizes={"md": seen(0.5)})
    assert found["sure"] == "measured"
    assert found["least_tokens"] == found["likely_tokens"] == found["tokens"] > 0
    characters = sum(map(len, TEXTS.values()))
    per_character = sum(row["tokens"] for row in shop.rows()) / characters
    assert found["tokens"] == pytest.approx(5_000 * per_character, rel=0.02)


def test_files_that_differ_much_give_a_wide_range(shop: Workshop) -> None:
    shop.build(TEXTS)
    mixed = SizeTally()
    for ratio in (0.01, 0.9, 0.02, 0.5, 0.1, 0.7):
        mixed.add(1_000, round(1_000 * ratio))
    found = asked(shop, todo("a.html", 5_000), sizes={"html": mixed.sum()})
    assert found["least_tokens"] < 0.5 * found["likely_tokens"]
    assert found["tokens"] > 1.5 * found["likely_tokens"]


def test_few_documents_of_a_kind_are_not_taken_for_known(shop: Workshop) -> None:
    shop.build(TEXTS)
    found = asked(
        shop, todo("a.md", 1_000), todo("b.txt", 1_000), sizes={"md": seen(0.5, 2), "txt": seen(1)}
    )
    assert found["sure"] == "partly"


def test_a_rename_costs_nothing_and_a_change_perhaps_nothing(shop: Workshop) -> None:
    renamed = asked(shop, todo("a.md", 10_000, "renamed"))
    assert (renamed["tokens"], renamed["documents"]) == (0, 1)
    assert renamed["basis"].endswith("1 renamed cost nothing")
    changed = asked(shop, todo("a.md", 10_000, "changed"))
    assert changed["least_tokens"] == 0 < changed["likely_tokens"]


def test_what_is_cut_anew_without_being_read_counts_by_its_characters(shop: Workshop) -> None:
    shop.build(TEXTS)
    shop.chunker = Spec(name="sentence", options={"size": 10, "overlap": 0})
    build = start(shop.handle, shop.specs({}))
    live = {row["uri"]: row["doc_id"] for row in shop.rows()}
    again = Todo(doc_id=live["d1.txt"], source="memory", uri="d1.txt", kind="reprocess")
    found = estimate(build, Plan(todo=[again]), 0.0)
    assert (found["least_tokens"], found["bytes"], found["cost_usd"]) == (0, 0, 0.0)
    of_it = sum(row["tokens"] for row in shop.rows() if row["uri"] == "d1.txt")
    assert found["likely_tokens"] == pytest.approx(of_it, rel=0.1)


@pytest.mark.parametrize(
    ("uri", "kind"), [("a/B.PDF", "pdf"), ("rows.jsonl#7", "jsonl"), ("README", ""), ("a.b/c", "")]
)
def test_the_kind_of_a_file_is_the_ending_of_its_name(uri: str, kind: str) -> None:
    assert kind_of(uri) == kind
