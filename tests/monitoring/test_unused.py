"""Documents that no question found, and what a list of them is worth."""

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import update

from llmops.tasks.errors import UsageError
from llmops.tasks.ledger.tables import versions
from llmops.tasks.monitoring.traffic import Exchange
from llmops.tasks.monitoring.unused import Unused, unused
from llmops.tasks.plugins import Spec
from tests.monitoring.asked import BASE, SINCE, exchange, passage
from tests.workshop import Workshop

SENTENCE = "The lamp of pier {n}{i} was lit by hand, and boat {n}{i} came in."
TEXTS = {
    f"d{n:02d}.txt": " ".join(SENTENCE.format(n=n, i=i) for i in range(1 if n < 10 else 6))
    for n in range(12)
}


@pytest.fixture
def shop(tmp_path: Path) -> Workshop:
    made = Workshop(tmp_path, Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    made.build(TEXTS)
    published(made, 1, SINCE - timedelta(days=3))
    return made


def published(shop: Workshop, number: int, at: datetime) -> None:
    mine = (versions.c.kb == BASE) & (versions.c.version == number)
    with shop.ledger.write() as connection:
        connection.execute(update(versions).where(mine).values(published_at=at))


def ids(shop: Workshop) -> dict[str, tuple[str, list[str]]]:
    """uri -> (doc_id, chunk ids) of the live version."""
    found: dict[str, tuple[str, list[str]]] = {}
    for row in shop.rows():
        found.setdefault(row["uri"], (row["doc_id"], []))[1].append(row["chunk_id"])
    return found


def searches(shop: Workshop, *uris: str, times: int = 40) -> list[Exchange]:
    """Each of the documents is found so many times, by a conversation of its own."""
    known = ids(shop)
    return [
        exchange(
            number * 100 + place,
            passages=tuple(passage(each, doc_id=known[uri][0]) for each in known[uri][1]),
        )
        for number in range(times)
        for place, uri in enumerate(uris)
    ]


def looked(shop: Workshop, exchanges: list[Exchange]) -> Unused:
    return unused(shop.home, BASE, exchanges, SINCE)


def test_what_nobody_found_is_told_the_longest_first(shop: Workshop) -> None:
    found = looked(
        shop, searches(shop, *(uri for uri in TEXTS if uri not in ("d03.txt", "d11.txt")))
    )
    assert [each.uri for each in found.documents] == ["d11.txt", "d03.txt"]
    assert (found.total, found.of) == (2, 12)
    first = found.documents[0]
    assert first.since == SINCE - timedelta(days=3)
    assert first.chunks == len(ids(shop)["d11.txt"][1]) > 1
    assert found.note.startswith(
        "shop: 2 of 12 documents (17 %) were found by none of 400 questions;"
    )


def test_with_little_traffic_a_list_means_nothing_and_that_is_said(shop: Workshop) -> None:
    found = looked(shop, searches(shop, "d00.txt", times=1))
    assert found.documents == ()
    assert (found.total, found.of) == (11, 12)
    assert found.note.endswith("so a list of them would mean nothing")
    assert 0.5 < found.expected < 1


def test_one_conversation_that_asks_the_same_again_is_no_traffic(shop: Workshop) -> None:
    many = searches(shop, "d00.txt", times=40)
    same = [each.model_copy(update={"conversation": "one"}) for each in many]
    assert looked(shop, many).expected < 0.2
    assert looked(shop, same).expected > 0.9


def test_what_chance_leaves_unused_is_what_a_simulation_says(shop: Workshop) -> None:
    """Every passage is as likely to be found as every other."""
    known = [(chunk, doc) for doc, chunks in ids(shop).values() for chunk in chunks]
    chance, missed, draws = random.Random(3), 0, 15
    for _ in range(2_000):
        docs = {chance.choice(known)[1] for _ in range(draws)}
        missed += len(TEXTS) - len(docs)
    found = looked(
        shop,
        [
            exchange(number, passages=(passage(chunk, doc_id=doc),))
            for number, (chunk, doc) in enumerate(chance.choices(known, k=draws))
        ],
    )
    assert found.expected == pytest.approx(missed / 2_000 / len(TEXTS), abs=0.02)


def test_documents_that_came_later_or_went_are_not_told(shop: Workshop) -> None:
    shop.build({uri: text for uri, text in TEXTS.items() if uri != "d03.txt"} | {"new.txt": "New."})
    published(shop, 2, SINCE + timedelta(days=1))
    found = looked(shop, searches(shop, *(uri for uri in list(TEXTS)[4:11])))
    assert {each.uri for each in found.documents} == {"d00.txt", "d01.txt", "d02.txt", "d11.txt"}
    assert found.of == 11


def test_a_changed_document_is_the_same_document(shop: Workshop) -> None:
    shop.build(TEXTS | {"d11.txt": "Other words than before. " * 20})
    published(shop, 2, SINCE + timedelta(days=1))
    found = looked(shop, searches(shop, *list(TEXTS)[:11]))
    assert [(each.uri, each.since) for each in found.documents] == [
        ("d11.txt", SINCE - timedelta(days=3))
    ]


def test_a_young_base_is_looked_at_from_its_first_publication_on(shop: Workshop) -> None:
    at = SINCE + timedelta(days=4)
    published(shop, 1, at)
    early = searches(shop, *TEXTS)
    assert "no question searched it" in looked(shop, early).note
    late = [each.model_copy(update={"at": at + timedelta(hours=1)}) for each in early]
    found = looked(shop, late)
    assert (found.total, found.of) == (0, 12)
    assert f"since it was published on {at:%Y-%m-%d}" in found.note


def test_searches_of_another_base_are_not_its_own(shop: Workshop) -> None:
    other = [each.model_copy(update={"knowledge_base": "x"}) for each in searches(shop, *TEXTS)]
    assert "no question searched it" in looked(shop, other).note


def test_an_unknown_base_is_refused(shop: Workshop) -> None:
    with pytest.raises(UsageError, match="no knowledge base 'nowhere'"):
        unused(shop.home, "nowhere", [], datetime.now(UTC))
