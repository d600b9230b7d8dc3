"""The option `classifier` of the cleaner `injection`: a function of yours, or an endpoint."""

from collections.abc import Mapping
from typing import Any

import pytest
from pydantic import ValidationError

from llmops.tasks.errors import ConfigError, DocumentError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner, Document
from llmops.tasks.plugins.cleaners.injection import InjectionCleaner
from llmops.tasks.plugins.cleaners.injection.classifier import InjectionClassifier, pieces
from tests.plugins.cleaners.classifiers import WORD, classifying

HERE = "tests.plugins.cleaners.classifiers"
QUACK = f"The duck says {WORD}."
PROSE = "Ducks live on lakes. They eat seeds.\n\n"


def cleaner(classifier: Mapping[str, object], **options: object) -> InjectionCleaner:
    built = Spec(name="injection", options={"classifier": classifier, **options}).build(Cleaner)
    assert isinstance(built, InjectionCleaner)
    return built


def scores(text: str) -> list[dict[str, Any]]:
    sure = 0.98 if WORD in text else 0.01
    return [{"label": "SAFE", "score": 1 - sure}, {"label": "injection", "score": sure}]


def tei(body: Any) -> Any:
    return [scores(text) for (text,) in body["inputs"]]


def test_a_function_flags_refuses_and_strips() -> None:
    text, function = PROSE * 30 + QUACK + "\n\n" + PROSE * 30, {"path": f"{HERE}:by_word"}
    flagged = cleaner(function).apply(Document(text))
    assert flagged.metadata["flags"] == ["injection"]
    assert flagged.metadata["injection"]["score"] == 1.0
    assert flagged.metadata["injection"]["reasons"][0].startswith("classifier: ")
    with pytest.raises(DocumentError, match="classifier: "):
        cleaner(function, policy="quarantine").apply(Document(text))
    stripped = cleaner(function, policy="strip").apply(Document(text))
    assert WORD not in stripped.text
    assert stripped.text.count("Ducks live") == 60
    assert cleaner(function).apply(Document(PROSE)) == Document(PROSE)


def test_titles_and_hidden_text_are_asked_about_too() -> None:
    asks = cleaner({"path": f"{HERE}:by_word"})
    hidden = {"hidden_text": ["menu", QUACK]}
    assert "injection" in asks.apply(Document(PROSE, title=QUACK)).metadata["flags"]
    assert "injection" in asks.apply(Document(PROSE, metadata=hidden)).metadata["flags"]


def test_text_embeddings_inference_is_asked_in_batches() -> None:
    with classifying(tei) as service:
        classifier = {"base_url": service.url, "api_key": "k3y", "batch": 2, "size": 100}
        document = Document(f"{PROSE * 8}{QUACK}\n\n{PROSE * 8}")
        (reason,) = cleaner(classifier).reasons(document)
        assert (reason.score, WORD in document.text[reason.start : reason.end]) == (0.98, True)
        assert {path for path, _, _ in service.asked} == {"/predict"}
        assert {headers["authorization"] for _, headers, _ in service.asked} == {"Bearer k3y"}
        assert {len(body["inputs"]) for _, _, body in service.asked} <= {1, 2}
        assert service.asked[0][2]["truncate"] is True


def test_an_inference_endpoint_is_asked_at_its_own_address() -> None:
    def answer(body: Any) -> Any:
        return [scores(text) for text in body["inputs"]]

    with classifying(answer) as service:
        classifier = {"base_url": f"{service.url}/models/guard", "form": "huggingface"}
        assert cleaner(classifier).reasons(Document(QUACK))[0].score == 0.98
        assert service.asked[0][0] == "/models/guard"
        assert service.asked[0][2]["inputs"] == [QUACK]


def test_a_long_document_costs_so_many_pieces_and_no_more() -> None:
    with classifying(tei) as service:
        classifier = {"base_url": service.url, "size": 100, "most_pieces": 3, "batch": 2}
        cleaner(classifier).reasons(Document(PROSE * 500))
        assert sum(len(body["inputs"]) for _, _, body in service.asked) == 3


@pytest.mark.parametrize(
    ("answer", "error", "said"),
    [
        (lambda body: [], Unavailable, "gave no list of 1 results"),
        (lambda body: {"error": "no"}, Unavailable, "gave no list of 1 results"),
        (lambda body: [[{"label": "LABEL_1", "score": 1}]], ConfigError, "says LABEL_1, not INJ"),
        (lambda body: [[{"label": "injection", "score": 7}]], ConfigError, "says injection"),
    ],
)
def test_a_service_that_answers_otherwise_is_no_silence(
    answer: Any, error: type[Exception], said: str
) -> None:
    with classifying(answer) as service, pytest.raises(error, match=said):
        cleaner({"base_url": service.url}).apply(Document(QUACK))


def test_a_service_that_is_not_there_lets_nothing_pass() -> None:
    with pytest.raises(Unavailable, match="cannot be reached"):
        cleaner({"base_url": "http://127.0.0.1:9", "retries": 0}).apply(Document(PROSE))


@pytest.mark.parametrize(
    ("name", "said"),
    [
        (f"{HERE}:too_few", "a list with a number from 0 to 1 for each text|gave .* for 2 texts"),
        (f"{HERE}:beyond_one", "gave .* for 2 texts"),
        (f"{HERE}:NO_FUNCTION", "is no function"),
        (f"{HERE}:nobody", "has no nobody"),
        ("nowhere.at_all:score", "cannot be imported"),
    ],
)
def test_what_is_no_classifier_says_so(name: str, said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        cleaner({"path": name, "size": 100}).apply(Document(PROSE * 4))


@pytest.mark.parametrize(
    ("classifier", "said"),
    [
        ({}, "got neither of path and base_url"),
        ({"path": "a:b", "base_url": "http://127.0.0.1"}, "got both of path and base_url"),
        ({"path": "a.b"}, "pattern"),
        ({"path": "a:b", "labels": "x"}, "labels"),
    ],
)
def test_a_wrong_option_is_named(classifier: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError, match=said):
        cleaner(classifier)


def test_only_what_changes_a_score_changes_the_fingerprint() -> None:
    plain = {"base_url": "http://127.0.0.1:8080"}
    same = cleaner(plain | {"api_key": "k", "timeout": 5, "batch": 3, "retries": 1})
    assert same.fingerprint() == cleaner(plain).fingerprint()
    assert cleaner(plain | {"label": "BAD"}).fingerprint() != cleaner(plain).fingerprint()
    assert InjectionCleaner().fingerprint() != cleaner(plain).fingerprint()


def test_pieces_cover_the_text() -> None:
    text = PROSE * 40
    spans = pieces(text, 300)
    assert "".join(text[start:end] for start, end in spans) == text
    assert max(end - start for start, end in spans) <= 300
    assert InjectionClassifier(path="a:b").suspected(" \n ") == []
