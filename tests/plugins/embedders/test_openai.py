"""The OpenAI-compatible embedder against a real HTTP server, and its tokenizers."""

import asyncio
import json
import time
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from pydantic import ValidationError

from llmops.tasks.endpoints.quota import quota_of
from llmops.tasks.errors import ConfigError, DocumentError, Unavailable
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.embedders._counting import counter
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.embedders.openai import OpenAIEmbedder
from tests.openai_server import Answer, Service, serving
from tests.plugins.chunkers import texts

WORDS = ["red lamp", "blue harbour", "", "grey stone", "日本語"]
TIKTOKEN = pytest.mark.skipif(
    find_spec("tiktoken") is None or find_spec("llama_index") is None,
    reason="no tiktoken with its files",
)


@pytest.fixture
def service() -> Iterator[Service]:
    with serving() as found:
        yield found


def embedder(service: Service, **options: Any) -> OpenAIEmbedder:
    plain = {
        "name": "openai",
        "model": "small",
        "dimensions": 384,
        "base_url": service.base_url,
        "retries": 1,
    }
    made = Spec.model_validate(plain | options).build(Embedder)
    assert isinstance(made, OpenAIEmbedder)
    return made


@pytest.mark.parametrize("encoding", ["float", "base64"])
def test_vectors_are_in_order_normalised_and_batched(service: Service, encoding: str) -> None:
    vectors = embedder(service, batch=2, encoding=encoding).embed(WORDS)
    np.testing.assert_allclose(
        vectors, HashEmbedder().embed([word or " " for word in WORDS]), atol=1e-6
    )
    assert (str(vectors.dtype), vectors.shape) == ("float32", (5, 384))
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert [len(body["input"]) for _, body, _ in service.requests] == [2, 2, 1]
    assert {body["encoding_format"] for _, body, _ in service.requests} == {encoding}
    assert embedder(service).embed([]).shape == (0, 384)


def test_dimensions_are_asked_of_models_that_know_the_option(service: Service) -> None:
    short = embedder(service, model="text-embedding-3-small", dimensions=64)
    assert (short.embed(["red lamp"]).shape, short.dimension, short.price) == ((1, 64), 64, 0.02)
    embedder(service).embed(["red lamp"])
    assert [body.get("dimensions") for _, body, _ in service.requests] == [64, None]
    assert OpenAIEmbedder(model="text-embedding-3-large").dimension == 3072
    with pytest.raises(
        ValidationError, match="dimensions is missing: how long a vector of nomic is"
    ):
        OpenAIEmbedder(model="nomic")


def test_another_length_than_was_said_is_refused(service: Service) -> None:
    with pytest.raises(
        Unavailable,
        match=r"2 vectors of length 384 for 2 texts; 100 is wanted.*set embed\.dimensions",
    ):
        embedder(service, dimensions=100).embed(["a", "b"])


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (Answer(401), Unavailable, "check api_key"),
        (Answer(400), DocumentError, "as the script says"),
        (Answer(200, b"{}"), Unavailable, "without data"),
        (Answer(200, b'{"data": []}'), Unavailable, "0 vectors"),
        (
            Answer(200, json.dumps({"data": [{"index": 0, "embedding": "!!"}]}).encode()),
            Unavailable,
            "without data",
        ),
        (
            Answer(200, json.dumps({"data": [{"index": 0, "embedding": [[1.0], [0.5]]}]}).encode()),
            Unavailable,
            "without data.*one vector for a text",
        ),
    ],
)
def test_faults(service: Service, answer: Answer, error: type[Exception], message: str) -> None:
    service.script = [answer, answer]  # what cannot be read is asked for once more
    with pytest.raises(error, match=message):
        embedder(service).embed(["a"])


def rows(*pairs: tuple[object, float]) -> Answer:
    """An answer with these indexes, each with a vector of one number and zeros."""
    data = [{"index": index, "embedding": [first] + [0.0] * 383} for index, first in pairs]
    return Answer(200, json.dumps({"data": data}).encode())


@pytest.mark.parametrize("number", [float("nan"), float("inf"), 1e30])
def test_a_vector_that_is_not_finite_is_refused_and_never_remembered(
    service: Service, number: float
) -> None:
    service.script = [rows((0, 1.0), (1, number))]
    with pytest.raises(Unavailable, match="NaN, infinity or numbers that are too large in 1 of 2"):
        embedder(service).embed(["a", "b"])


def test_vectors_go_to_their_texts_by_number_and_no_two_to_one(service: Service) -> None:
    tens: list[tuple[object, float]] = [(str(index), float(index % 2) - 0.5) for index in range(12)]
    service.script = [rows(*reversed(tens))]  # "10" sorts before "2" as a text
    signs = embedder(service).embed(["a"] * 12)[:, 0]
    np.testing.assert_array_equal(signs, [-1, 1] * 6)
    service.script = [rows((0, 1.0), (0, -1.0))] * 2
    with pytest.raises(Unavailable, match="without data"):
        embedder(service).embed(["a", "b"])


def test_the_limit_of_requests_is_kept_by_all_embedders_of_an_endpoint(service: Service) -> None:
    limited = [embedder(service, batch=1, requests_per_minute=600) for _ in range(2)]
    began = time.perf_counter()
    limited[0].embed(["a", "b"])
    limited[1].embed_query(["c"])
    assert time.perf_counter() - began >= 0.2  # 100 ms between two
    assert quota_of(limited[0]) is quota_of(limited[1])
    assert quota_of(limited[0]) is not quota_of(embedder(service, model="other"))
    assert quota_of(limited[0]) is not quota_of(embedder(service, api_key="other"))


def test_a_refusal_for_haste_holds_up_every_embedder_and_counts_as_no_failure(
    service: Service,
) -> None:
    service.script = [Answer(429, headers={"Retry-After": "0.2"})] * 2
    began = time.perf_counter()
    assert embedder(service, retries=1).embed(["a"]).shape == (1, 384)
    assert (time.perf_counter() - began >= 0.4, len(service.requests)) == (True, 3)
    service.script = [Answer(429, headers={"Retry-After": "60"})]
    with pytest.raises(Unavailable, match=r"asks to wait 60 s.*patience of 1 s is used up"):
        embedder(service, patience=1).embed(["a"])
    assert quota_of(embedder(service)).pace.paused_until > time.monotonic() + 50
    began, asked = time.perf_counter(), len(service.requests)
    with pytest.raises(Unavailable, match=r"asked to wait \d+ s more; the patience is 1 s"):
        embedder(service, patience=1).embed(["b"])  # the next one does not wait for it either
    assert (time.perf_counter() - began < 1, len(service.requests)) == (True, asked)


def test_a_wrong_key_is_asked_once_and_told_without_it(service: Service) -> None:
    service.key = "right-key"
    with pytest.raises(Unavailable, match="check api_key") as caught:
        embedder(service, api_key="wrong-key", batch=1).embed(["a", "b"])
    assert ("wrong-key" in str(caught.value), len(service.requests)) == (False, 1)
    service.script = [Answer(200, b"<html>a page</html>", {}, "text/html")]
    with pytest.raises(Unavailable, match="usually ends with /v1"):
        embedder(service, base_url=service.base_url.removesuffix("/v1"), model="m").embed(["a"])


def test_a_service_that_goes_on_failing_is_told_as_one(service: Service) -> None:
    service.script = [Answer(500)] * 2
    with pytest.raises(Unavailable, match=r"500.*tried 2 times.*what was paid for is kept"):
        embedder(service).embed(["a"])


def test_an_event_loop_that_runs_is_left_alone(service: Service) -> None:
    async def asked() -> tuple[int, int]:
        rows, length = embedder(service).embed(["a"]).shape
        return rows, length

    assert asyncio.run(asked()) == (1, 384)


def test_a_hiccup_is_waited_out(service: Service) -> None:
    service.script = [Answer(503, headers={"Retry-After": "0"})]
    assert embedder(service).embed(["a"]).shape == (1, 384)
    assert len(service.requests) == 2


def test_the_fingerprint_is_of_what_vectors_depend_on() -> None:
    plain = OpenAIEmbedder(model="small", dimensions=8, api_key="one")
    assert (
        plain.fingerprint()
        == OpenAIEmbedder(
            model="small", dimensions=8, api_key="two", batch=3, price_per_million=1
        ).fingerprint()
    )
    others = [
        OpenAIEmbedder(model="large", dimensions=8),
        OpenAIEmbedder(model="small", dimensions=9),
        OpenAIEmbedder(model="small", dimensions=8, base_url="http://h/v1"),
    ]
    assert len({plain.fingerprint(), *(other.fingerprint() for other in others)}) == 4


SAMPLES = {
    "english": texts.english(20_000),
    "chinese": texts.CHINESE * 5,
    "persian": texts.PERSIAN * 5,
    "odd": texts.ODD * 20,
    "code": Path(__file__).read_text(),
    "one word": "abcdefghij" * 300,
    "base64": "aGVsbG8gd29ybGQ9PQ" * 40,
    "lines": "a\n\n\n b\n" * 50,
    "numbers": "3.14159 2026-11-21 0xDEADBEEF " * 30,
}


@TIKTOKEN
@pytest.mark.parametrize("name", ["cl100k_base", "cautious"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_no_count_is_lower_than_the_model_s(name: str, sample: str) -> None:
    from llmops.tasks.plugins.embedders._counting import _encoding

    text = SAMPLES[sample]
    real = len(_encoding("cl100k_base").encode_ordinary(text.replace("\ud800", "\ufffd")))
    offsets = counter(name)(text)
    assert real <= len(offsets) <= (1.35 if name == "cl100k_base" else 9) * real
    assert offsets == sorted(offsets)
    assert all(0 <= start < end <= len(text) for start, end in offsets)


@TIKTOKEN
@pytest.mark.parametrize("tokenizer", ["cl100k_base", "cautious"])
@pytest.mark.parametrize("sample", SAMPLES)
def test_chunks_stay_within_the_context(tokenizer: str, sample: str) -> None:
    made = OpenAIEmbedder(model="small", dimensions=8, tokenizer=tokenizer, context=40)
    for span in SentenceChunker(size=40, overlap=5).split(
        SAMPLES[sample], markup="plain", title="A title", tokenizer=made
    ):
        text = (
            f"{span.context}\n{SAMPLES[sample][span.start : span.end]}"
            if span.context
            else SAMPLES[sample][span.start : span.end]
        )
        assert made.count(text) <= 40


def test_a_tokenizer_of_a_file(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    made = tokenizers.Tokenizer(
        tokenizers.models.WordLevel({"red": 0, "lamp": 1, "?": 2}, unk_token="?")
    )
    made.pre_tokenizer = tokenizers.pre_tokenizers.Whitespace()
    made.save(str(tmp_path / "tokenizer.json"))
    assert OpenAIEmbedder(
        model="m", dimensions=8, tokenizer=str(tmp_path / "tokenizer.json")
    ).token_offsets("red  lamp") == [(0, 3), (5, 9)]
    with pytest.raises(ConfigError, match=r"is no tokenizer\.json"):
        OpenAIEmbedder(model="m", dimensions=8, tokenizer=str(tmp_path)).count("red")


def test_a_question_and_a_passage_are_told_apart_by_prefix_and_by_fields(service: Service) -> None:
    two = embedder(
        service,
        passage_prefix="passage: ",
        query_prefix="query: ",
        passage_body={"input_type": "document"},
        query_body={"input_type": "query"},
    )
    two.embed(["red", ""])
    two.embed_query(["red"])
    said = [(body["input"], body["input_type"]) for _, body, _ in service.requests]
    assert said == [(["passage: red", "passage: "], "document"), (["query: red"], "query")]
    with pytest.raises(ValidationError, match="model of the request is said by the other options"):
        embedder(service, query_body={"model": "large"})


def test_what_is_said_of_questions_leaves_the_vectors_of_passages_as_they_are(
    service: Service,
) -> None:
    plain, asked = embedder(service), embedder(service, query_prefix="query: ")
    assert plain.query_fingerprint() == plain.fingerprint() == asked.fingerprint()
    assert asked.query_fingerprint() != asked.fingerprint()
    others = {"passage_prefix": "passage: "}, {"passage_body": {"input_type": "document"}}
    prints = {embedder(service, **options).fingerprint() for options in others}
    assert len(prints | {plain.fingerprint()}) == 3
