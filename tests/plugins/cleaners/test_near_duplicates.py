"""The cleaner `near_duplicates`: which documents are the same, which of them is kept, and that the
order of arrival is nothing.
"""

import itertools
import os
import random
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.cleaners import Cleaner, CorpusVerdict, Document, Sketched
from llmops.tasks.plugins.cleaners.near_duplicates import (
    FLAG,
    HASHES,
    KEPT,
    NearDuplicatesCleaner,
    bands,
    shingle_hashes,
    signature,
    similarity,
    words,
)

WORDS = [
    f"{first}{second}"
    for first in ("lam", "ri", "sto", "gar", "win")
    for second in ("p", "ver", "ne", "den", "ter", "do")
]
TEXT = " ".join(random.Random(1).choices(WORDS, k=200))


def sketched(
    cleaner: NearDuplicatesCleaner, texts: dict[str, str], **more: dict[str, str]
) -> list[Sketched]:
    """One document per uri; `dates` and `sources` by uri."""
    dates, sources = more.get("dates", {}), more.get("sources", {})
    return [
        Sketched(
            doc_id=f"id-{uri}",
            source=sources.get(uri, "s"),
            uri=uri,
            place=0 if sources.get(uri, "s") == "s" else 1,
            sketch=cleaner.sketch(
                Document(text=text, metadata={"date": dates[uri]} if uri in dates else {})
            ),
        )
        for uri, text in texts.items()
    ]


def left_out(verdicts: dict[str, CorpusVerdict]) -> dict[str, str]:
    return {
        key.removeprefix("id-"): verdict.instead.removeprefix("id-")
        for key, verdict in verdicts.items()
        if verdict.instead
    }


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("The lamp, trimmed at dusk: it burns.", "the LAMP trimmed\nat   dusk -- it burns"),
        ("# A heading\n\n* and *markup*", "A heading and markup"),
        ("ｆｕｌｌ width ﬁne", "full width fine"),
        ("人工智能的未来。", "人工智能 的 未来"),
        ("การทดสอบ", "การทดสอบ!"),
    ],
)
def test_case_punctuation_markup_and_forms_of_characters_make_no_difference(
    one: str, other: str
) -> None:
    assert similarity(shingle_hashes(one), shingle_hashes(other)) == 1


def test_scripts_without_blanks_are_compared_by_characters() -> None:
    assert words("我爱北京 and ひらがな") == ["我", "爱", "北", "京", "and", "ひ", "ら", "が", "な"]
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    one = "今天天气很好我们去公园散步吧顺便买一点水果回来晚上一起做饭吃然后看一部电影最后早点休息明天还要上班"  # noqa: E501
    assert similarity(shingle_hashes(one), shingle_hashes(one.replace("水果", "蔬菜"))) > 0.7
    assert similarity(shingle_hashes(one), shingle_hashes(one[::-1])) == 0


def test_short_texts_are_the_same_or_not_and_texts_without_words_are_never() -> None:
    verdicts = NearDuplicatesCleaner().judge(
        sketched(
            NearDuplicatesCleaner(),
            {"a": "yes", "b": "Yes!", "c": "no", "d": "---", "e": "---", "f": ""},
        )
    )
    assert left_out(verdicts) == {"a": "b"}


@pytest.mark.parametrize(("keep", "kept"), [("longest", "c"), ("newest", "b"), ("first", "a")])
def test_the_policy_says_which_is_best(keep: str, kept: str) -> None:
    cleaner = NearDuplicatesCleaner.model_validate({"keep": keep})
    dates = {"a": "2020-01-01", "b": "Tue, 03 Mar 2026 10:00:00 +0100", "c": "not a date"}
    verdicts = cleaner.judge(
        sketched(cleaner, {"c": TEXT + " more words", "b": TEXT, "a": TEXT}, dates=dates)
    )
    assert set(left_out(verdicts).values()) == {kept}
    assert len(left_out(verdicts)) == 2


def test_first_is_the_first_source_of_the_config() -> None:
    cleaner = NearDuplicatesCleaner(keep="first")
    assert left_out(
        cleaner.judge(sketched(cleaner, {"z": TEXT, "a": TEXT}, sources={"a": "other"}))
    ) == {"a": "z"}


def test_what_is_kept_lists_the_others_and_what_is_flagged_names_it() -> None:
    cleaner = NearDuplicatesCleaner(action="flag")
    verdicts = cleaner.judge(sketched(cleaner, {"a": TEXT, "b": TEXT + " more", "c": TEXT}))
    kept, flagged = (
        cleaner.settle(Document(text="x"), verdicts[key].note) for key in ("id-b", "id-a")
    )
    assert (left_out(verdicts), kept.metadata) == ({}, {"duplicates": ["a", "c"]})
    assert (flagged.metadata["flags"], flagged.metadata["duplicate_of"]) == ([FLAG], "b")
    assert 0.8 <= flagged.metadata["duplicate_similarity"] <= 1
    silent = NearDuplicatesCleaner(record=False)
    assert set(silent.judge(sketched(silent, {"a": TEXT, "b": TEXT}))) == {"id-b"}


def test_a_chain_of_likeness_loses_no_document_that_is_unlike_the_kept_one() -> None:
    tokens = TEXT.split()
    texts = {
        f"v{step}": " ".join([f"new{n}" for n in range(step * 14)] + tokens[step * 14 :])
        for step in range(6)
    }
    cleaner = NearDuplicatesCleaner(keep="first")
    verdicts = cleaner.judge(sketched(cleaner, texts))
    for uri, better in left_out(verdicts).items():
        assert similarity(shingle_hashes(texts[uri]), shingle_hashes(texts[better])) >= 0.8
        assert better not in left_out(verdicts)
    assert left_out(verdicts)
    assert "v5" not in left_out(verdicts) or left_out(verdicts)["v5"] != "v0"


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 14)), min_size=2, max_size=14),
    st.randoms(),
    st.sampled_from(["longest", "newest", "first"]),
)
def test_judging_is_a_function_of_the_set_and_exact(
    made: list[tuple[int, int]], chance: random.Random, keep: str
) -> None:
    texts = {f"u{n}": edited(base, edits) for n, (base, edits) in enumerate(made)}
    cleaner = NearDuplicatesCleaner.model_validate({"keep": keep})
    documents = sketched(cleaner, texts)
    verdicts = cleaner.judge(documents)
    chance.shuffle(documents)
    assert cleaner.judge(documents) == verdicts
    out = left_out(verdicts)
    assert all(better not in out and close(texts, uri, better) for uri, better in out.items())
    assert not any(
        close(texts, one, other)
        for one, other in itertools.combinations(sorted(texts.keys() - out.keys()), 2)
    )


def edited(base: int, edits: int) -> str:
    tokens = random.Random(base).choices(WORDS, k=150)
    for place in range(edits):
        tokens[(place * 37 + base) % 150] = f"edit{place}"
    return " ".join(tokens)


def close(texts: dict[str, str], one: str, other: str) -> bool:
    left, right = (
        set(shingle_hashes(texts[one]).tolist()),
        set(shingle_hashes(texts[other]).tolist()),
    )
    return len(left & right) / len(left | right) >= 0.8


def test_documents_for_other_readers_and_doubtful_ones_are_nobodys_duplicates() -> None:
    cleaner = NearDuplicatesCleaner()
    one, other = sketched(cleaner, {"a": TEXT, "b": TEXT})
    for changed in ({"readers": b"board"}, {"doubtful": True}):
        apart = Sketched(**{**other.__dict__, **changed})
        assert cleaner.judge([one, apart]) == {}


def test_the_wanted_probability_is_reached_at_every_similarity() -> None:
    for wanted in (0.3, 0.5, 0.7, 0.8, 0.9, 0.97, 1.0):
        number, rows = bands(wanted)
        assert number * rows <= HASHES
        assert 1 - (1 - wanted**rows) ** number >= 0.995


def test_signatures_estimate_what_sets_say_and_large_sets_are_estimated_by_their_smallest() -> None:
    left = np.unique(np.random.default_rng(1).integers(0, 2**63, 6000, np.uint64))
    chance = np.random.default_rng(2)
    right = np.unique(
        np.concatenate(
            [chance.permutation(left)[:4800], chance.integers(0, 2**63, 1200, np.uint64)]
        )
    )
    exact = len(np.intersect1d(left, right)) / len(np.union1d(left, right))
    assert float((signature(left) == signature(right)).mean()) == pytest.approx(exact, abs=0.13)
    assert similarity(left[:KEPT], right[:KEPT]) == pytest.approx(exact, abs=0.06)


def test_a_sketch_is_small_and_two_thousand_equal_documents_are_one() -> None:
    cleaner = NearDuplicatesCleaner(record=False)
    large = cleaner.sketch(Document(text=" ".join(f"word{n}" for n in range(50_000))))
    assert len(large) < 9000
    verdicts = cleaner.judge(
        [Sketched(doc_id=f"{n:05}", source="s", uri=f"{n:05}", sketch=large) for n in range(2000)]
    )
    assert len(verdicts) == 1999
    assert {verdict.instead for verdict in verdicts.values()} == {"00000"}


@pytest.mark.parametrize(
    "options",
    [
        {"similarity": 0.1},
        {"similarity": 1.2},
        {"keep": "best"},
        {"action": "remove"},
        {"words": 0},
    ],
)
def test_mistakes_are_found_when_the_config_is_read(options: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        NearDuplicatesCleaner.model_validate(options)


def test_it_is_found_by_name_and_alone_changes_nothing() -> None:
    cleaner = Spec.model_validate({"name": "near_duplicates", "similarity": 0.9}).build(Cleaner)
    assert isinstance(cleaner, NearDuplicatesCleaner)
    assert cleaner.apply(Document(text="as it is")) == Document(text="as it is")


def test_it_finds_exactly_what_exact_comparison_finds_in_real_articles() -> None:
    """The articles of the MinHash tutorial by Chris McCormick, with known near duplicates."""
    data = os.environ.get("LLMOPS_BENCH_DATA")
    if not data:
        pytest.skip("LLMOPS_BENCH_DATA is not set: the folder of benchmark data")
    folder = Path(data) / "minhash" / "data"
    texts = dict(
        line.split(" ", 1) for line in (folder / "articles_1000.train").read_text().splitlines()
    )
    known = {
        frozenset(line.split())
        for line in (folder / "articles_1000.truth").read_text().splitlines()
    }
    found = {
        frozenset(pair)
        for pair in left_out(
            NearDuplicatesCleaner().judge(sketched(NearDuplicatesCleaner(), texts))
        ).items()
    }
    assert found == known
