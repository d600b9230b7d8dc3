"""Searches and measurements with the best passages in another order, and the commands around
them.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from llmops.tasks.calls.costs import Payer, booked
from llmops.tasks.errors import Unavailable
from llmops.tasks.knowledge.measuring import measure_version
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.knowledge.reranked import RerankedSearch
from llmops.tasks.ledger import open_ledger
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.rerankers import Reranker
from llmops.tasks.retrieval.golden import Question
from tests.commandline import llmops, refused
from tests.openai_server import Answer, Service, serving
from tests.workshop import Workshop

WORDS = ("The crane", "The salt", "The pier") * 12
TEXTS = {
    "loud.txt": "Beacon, beacon, beacon, beacon.",
    "best.txt": "Crane, salt, pier.",
    **{f"other{n}.txt": f"{word} and rope number {n}." for n, word in enumerate(WORDS)},
}
QUESTION = "beacon crane salt pier"
COLUMNS = ("uri", "text")


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Workshop:
    made = Workshop(tmp_path_factory.mktemp("reranked"), Spec(name="lancedb"))
    made.embedder = Spec(name="hash")
    made.build(TEXTS)
    return made


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def endpoint(service: Service, **options: Any) -> Spec:
    plain = {"base_url": service.base_url, "retries": 0, "price_per_search": 1.0}
    return Spec(name="endpoint", options=plain | options)


def search(shop: Workshop, spec: Spec) -> RerankedSearch:
    seen = searcher(shop.home, shop.live)
    return RerankedSearch(shop.home, shop.kb, seen, spec.build(Reranker), Payer("search", shop.kb))


def questions() -> list[Question]:
    asked = {"id": "q1", "question": QUESTION, "relevant": [{"uri": "best.txt"}]}
    return [Question.model_validate(asked)]


def test_the_candidates_stand_in_the_order_of_their_scores(shop: Workshop) -> None:
    plain = searcher(shop.home, shop.live).passages(QUESTION, 3, "text", columns=COLUMNS)
    assert plain[0]["uri"] == "loud.txt"
    rows, said = search(shop, Spec(name="overlap")).passages(QUESTION, 2, "text", COLUMNS)
    assert (rows[0]["uri"], len(rows), said) == ("best.txt", 2, "")
    scores = [float(row["score"]) for row in rows]
    assert scores == sorted(scores, reverse=True)


def test_what_stands_behind_the_candidates_is_found_by_nobody(shop: Workshop) -> None:
    few = Spec(name="overlap", options={"candidates": 2})
    plain = searcher(shop.home, shop.live).passages(QUESTION, 2, "text", columns=COLUMNS)
    rows, _ = search(shop, few).passages(QUESTION, 2, "text", COLUMNS)
    assert {row["uri"] for row in rows} == {row["uri"] for row in plain}


def test_a_search_costs_once_and_for_its_payer(shop: Workshop, service: Service) -> None:
    reranked = search(shop, endpoint(service))
    first = reranked.passages(QUESTION, 3, "text", COLUMNS)
    assert first == reranked.passages(QUESTION, 3, "text", COLUMNS)
    assert [body["query"] for _, body, _ in service.requests] == [QUESTION]
    paid = [row for row in booked(open_ledger(shop.home)) if row.flow == "search"]
    assert [(row.name, row.cost_usd) for row in paid] == [(shop.kb, 1.0)]


def test_somebody_who_waits_gets_the_plain_order_and_is_told(
    shop: Workshop, service: Service
) -> None:
    service.latency = 5
    late = endpoint(service, seconds=0.2, model="late")
    rows, said = search(shop, late).passages(QUESTION, 3, "text", COLUMNS)
    plain = searcher(shop.home, shop.live).passages(QUESTION, 3, "text", columns=COLUMNS)
    assert [row["uri"] for row in rows] == [row["uri"] for row in plain]
    assert said == (
        "not reranked by endpoint: it gave no scores within 0.2 s; the plain order stands"
    )


def test_a_measurement_has_the_modes_side_by_side(shop: Workshop, service: Service) -> None:
    specs = [Spec(name="overlap"), endpoint(service, candidates=2)]
    measured = measure_version(shop.home, shop.live, questions(), 3, ["text"], specs)
    values = {mode: each.values["mrr@3"][0] for mode, each in measured.modes.items()}
    assert values["text + overlap"] == 1.0 > values["text"]
    assert list(values) == ["text", "text + overlap", "text + endpoint"]
    assert len(measured.modes["text + endpoint"].got[0]) == 3  # the plain ones stand behind


def test_a_measurement_of_a_reranker_that_fails_is_none(shop: Workshop, service: Service) -> None:
    service.script = [Answer(401, b"{}")]
    with pytest.raises(Unavailable, match="answered 401"):
        measure_version(
            shop.home, shop.live, questions(), 3, ["text"], [endpoint(service, model="no")]
        )


@pytest.fixture
def at_home(shop: Workshop, monkeypatch: pytest.MonkeyPatch) -> Workshop:
    monkeypatch.setenv("LLMOPS_HOME", str(shop.home))
    return shop


def test_search_and_measure_take_a_reranker(
    at_home: Workshop, service: Service, tmp_path: Path
) -> None:
    asked = ("search", QUESTION, "--kb", at_home.kb, "--mode", "text")
    found = llmops(*asked, "--rerank", "overlap", "--json")
    assert found.data["hits"][0]["uri"] == "best.txt"
    assert found.data["rerank"] == {"name": "overlap", "candidates": 50, "said": ""}
    assert "rerank" not in llmops(*asked, "--json").data
    service.script = [Answer(503, b"{}")]
    spec = json.dumps(
        {"name": "endpoint", "base_url": service.base_url, "retries": 0, "model": "x"}
    )
    told = llmops(*asked, "--rerank", spec).out
    assert told.startswith("not reranked by endpoint: ")
    golden = tmp_path / "golden.jsonl"
    golden.write_text("\n".join(each.model_dump_json() for each in questions()))
    measured = llmops(
        *("kb", "measure", at_home.kb, "--golden", golden, "--mode", "text"),
        *("--rerank", "overlap", "--json"),
    )
    assert measured.data["modes"]["text + overlap"]["mrr@10"]["value"] == 1.0


def test_a_wrong_reranker_is_a_mistake_of_one_line(at_home: Workshop) -> None:
    asked = ("search", QUESTION, "--kb", at_home.kb, "--rerank")
    refused(2, "--rerank: unknown name 'overlab'", *asked, "overlab")
    refused(2, "--rerank.candidates: .*2", *asked, "{name: overlap, candidates: 0}")
