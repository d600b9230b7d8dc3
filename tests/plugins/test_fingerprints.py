"""Fingerprints are the keys of what was paid for: they follow from family, name, options and
revision, and from nothing else.
"""

from typing import Any, ClassVar

import pytest

from llmops.tasks.knowledge.build import Fingerprints
from llmops.tasks.plugins import FAMILIES, Plugin, Spec, find, name_of, names, parsers
from llmops.tasks.plugins.chunkers import Chunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.collectors import Collector
from llmops.tasks.plugins.embedders import Embedder
from llmops.tasks.plugins.exporters import Exporter
from llmops.tasks.plugins.llms import Llm
from llmops.tasks.plugins.parsers import Parser
from llmops.tasks.plugins.parsers.office import OfficeParser
from llmops.tasks.plugins.parsers.table import TableParser
from llmops.tasks.plugins.scorers import Scorer
from llmops.tasks.plugins.scrubbers import Scrubber
from llmops.tasks.plugins.sources import Source
from llmops.tasks.plugins.spellings import RELEASE_0_1, spelling
from llmops.tasks.plugins.stores import Store

BASES: dict[str, type[Plugin]] = {
    "sources": Source,
    "parsers": Parser,
    "cleaners": Cleaner,
    "chunkers": Chunker,
    "embedders": Embedder,
    "stores": Store,
    "llms": Llm,
    "scorers": Scorer,
    "scrubbers": Scrubber,
    "collectors": Collector,
    "exporters": Exporter,
}
JUDGE = {"name": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1"}
OPTIONS: dict[str, dict[str, Any]] = {
    "collectors.traces": {"app": "helpdesk"},
    "collectors.reviews": {"queue": "helpdesk"},
    "collectors.documents": {"knowledge_base": "handbook"},
    **{
        f"collectors.{name}": {"path": "a.jsonl"}
        for name in ("jsonl", "cases", "golden", "dify_annotations", "dify_feedback")
    },
    "sources.files": {"path": "docs"},
    "sources.git": {"repository": "https://example.com/a.git"},
    "sources.jsonl": {"path": "a.jsonl"},
    "sources.mail": {"path": "mails"},
    "sources.web": {"start": ["https://example.com/"]},
    "cleaners.language": {"keep": ["en"]},
    "chunkers.qa": {"llm": JUDGE},
    "embedders.openai": {"model": "text-embedding-3-small"},
    "embedders.llamaindex": {
        "path": "llama_index.core.embeddings.mock_embed_model.MockEmbedding",
        "options": {"embed_dim": 8},
        "dimensions": 8,
    },
    "stores.weaviate": {"url": "http://127.0.0.1:8080"},
    "llms.openai": {"model": "m"},
    "llms.litellm": {"model": "m"},
    "scorers.contains": {"any_of": "expected.keywords"},
    "scorers.regex": {"pattern": "a+"},
    "scorers.json_schema": {"schema": {"type": "object"}},
    "scorers.judge": {"llm": JUDGE, "rubric": "helpful"},
    "scrubbers.listed": {"values": ["Ada Lovelace"]},
    "scrubbers.function": {"path": "builtins:sorted"},
}
WRITTEN_BY_0_1 = {
    "sources.files": "1d8f3f0db83f53b7",
    "sources.git": "f4b8654fbac4b6bb",
    "sources.jsonl": "78edf3b96f0e486b",
    "sources.mail": "ab5cc861662e11a0",
    "sources.topics": "3c5fc58b97283f2e",
    "sources.web": "99f2c1e5eb9d7efd",
    "parsers.captions": "1d1495c7dfb029c9",
    "parsers.mail": "aa4a5a548f683370",
    "parsers.markup": "16656981f5451498",
    "parsers.notebook": "2fd9471efae8559a",
    "parsers.office": "266e5ec2e258a06a",
    "parsers.table": "ce0c287876d0f0a2",
    "parsers.text": "7e13e2282472608a",
    "parsers.xml": "90109a9ee3ec487b",
    "cleaners.boilerplate": "dc336d6874d5528c",
    "cleaners.injection": "6409083083fdfac1",
    "cleaners.near_duplicates": "42a5616960cb7b55",
    "cleaners.pii": "eaa29b33d3c5b5bc",
    "cleaners.unicode": "170760ae94461e65",
    "cleaners.whitespace": "01bdd85da97af2bd",
    "cleaners.language": "d01f94ac4624aab4",
    "chunkers.code": "467999536346e919",
    "chunkers.fixed": "7f66c1d2a1c282b1",
    "chunkers.markdown": "de1457810433076d",
    "chunkers.parent_child": "b70902c904209a9a",
    "chunkers.semantic": "8b9251055685ed79",
    "chunkers.sentence": "dda1fe31f17c5fa2",
    "chunkers.qa": "ceffe100eb5cf95c",
    "embedders.hash": "2fcb96cb2e7e2351",
    "embedders.minilm": "e7c0d663d231fff2",
    "embedders.openai": "1ef8bf6b5a61c474",
    "embedders.llamaindex": "9d1039ef421f7428",
    "stores.lancedb": "bcb290ebb18b0b18",
    "stores.weaviate": "f7cbfee9ebaa3081",
    # `extractive` is not among them: it is free, and it answers otherwise since
    "llms.openai": "3c48ea7137eec429",
    "llms.litellm": "c2c02a276e5f4a39",
    "scorers.citations": "cb11019a5b6ac0c2",
    "scorers.cost": "d2a850111f3b92f3",
    "scorers.exact_match": "0a53368b27582eec",
    "scorers.grounded": "4299c0ce82de9ff1",
    "scorers.latency": "94ac570c4ed12e35",
    "scorers.refusal": "021a207804831412",
    "scorers.token_f1": "be8947d9296be133",
    "scorers.contains": "e8ea5a7670ae0824",
    "scorers.regex": "cc838b6e2adbc62b",
    "scorers.json_schema": "abd220b7566a7a0c",
    "scorers.judge": "c6198656ad66b56b",
    "scorers.rouge": "d00405abe7dff3f0",
    "scorers.similarity": "0979296984a050c5",
}


IMPROVED = {"cleaners.pii", "cleaners.injection"}
"""What gives another result since, beside parsers of a raised revision."""


@pytest.mark.parametrize("plugin", WRITTEN_BY_0_1)
def test_a_home_of_release_0_1_finds_what_it_paid_for(plugin: str) -> None:
    family, name = plugin.split(".")
    built = Spec(name=name, options=OPTIONS.get(plugin, {})).build(BASES[family])
    improved = plugin in IMPROVED or (
        family == "parsers" and built.revision > parsers.RELEASE_0_1[name]
    )
    assert (built.fingerprint() == WRITTEN_BY_0_1[plugin]) is not improved


def test_every_plugin_of_release_0_1_is_still_there() -> None:
    assert set(RELEASE_0_1) <= set(FAMILIES)
    assert {
        family: sorted(set(own) - set(names(family)))
        for family, own in RELEASE_0_1.items()
        if set(own) - set(names(family))
    } == {}


def test_a_moved_and_renamed_class_keeps_its_fingerprint() -> None:
    kind = find("cleaners", "unicode")
    before, name, module = kind().fingerprint(), kind.__qualname__, kind.__module__
    kind.__qualname__, kind.__module__ = "AnotherName", f"{module}.deeper"
    try:
        assert kind().fingerprint() == before
    finally:
        kind.__qualname__, kind.__module__ = name, module


def test_a_new_plugin_is_called_by_family_and_name() -> None:
    assert spelling("cleaners", "uppercase", built_in=True) == "cleaners.uppercase"
    assert (
        spelling("cleaners", "unicode", built_in=False)
        == "cleaners.unicode"
        != spelling("cleaners", "unicode", built_in=True)
    )


class Shout(Cleaner):
    """Of nobody's entry points."""

    def clean(self, text: str) -> str:
        return text.upper()


class Scream(Shout):
    """The same under another name, which keeps what was paid for."""

    former: ClassVar[str] = "cleaners.Shout"


def test_a_renamed_plugin_may_keep_its_former_spelling() -> None:
    assert Shout.spelling() == "cleaners.Shout"
    assert Scream().fingerprint() == Shout().fingerprint()


class Diary(Parser):
    """A parser more than release 0.1 had."""

    media_types: ClassVar[tuple[str, ...]] = ("text/x-diary",)

    def parse(self, data: bytes, media_type: str) -> Any:
        raise NotImplementedError


@pytest.fixture
def one_parser_more(monkeypatch: pytest.MonkeyPatch) -> Any:
    known = parsers.parsers_by_type()
    caches = (parsers.parser_fingerprint, parsers.parser_fingerprints)
    monkeypatch.setattr(parsers, "parsers_by_type", lambda: {**known, "text/x-diary": Diary})
    for cached in caches:
        cached.cache_clear()
    yield
    for cached in caches:
        cached.cache_clear()


def fingerprints() -> Fingerprints:
    return Fingerprints(
        parse=parsers.all_parsers(), clean=("c",), check="", chunk=("k",), model="m"
    )


def test_the_parsers_of_release_0_1_share_its_fingerprint_until_they_are_improved() -> None:
    for kind, plugin in parsers.parsers_by_type().items():
        improved = plugin.revision != parsers.RELEASE_0_1.get(name_of(plugin))
        assert (parsers.parser_fingerprint(f"{kind}; version=1") == parsers.SHARED) != improved
    assert parsers.parser_fingerprint("application/msword") == OfficeParser().fingerprint()
    assert parsers.all_parsers() != parsers.SHARED
    assert parsers.parser_fingerprint("image/heic") == ""


@pytest.mark.usefixtures("one_parser_more")
def test_one_parser_more_changes_its_own_documents_alone() -> None:
    stages = fingerprints()
    assert (
        stages.of("text/csv").text
        == Fingerprints(
            parse=TableParser().fingerprint(), clean=("c",), check="", chunk=("k",), model="m"
        ).all.split(".")[0]
    )
    assert parsers.parser_fingerprint("text/x-diary") == Diary().fingerprint()
    assert stages.of("text/x-diary") != stages.of("text/csv")
    assert stages.all.split(".")[0] not in (
        stages.of("text/csv").text,
        stages.of("text/x-diary").text,
    )  # what failed is tried again


def test_a_raised_revision_changes_the_documents_of_that_parser_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    odt, html = "application/vnd.oasis.opendocument.text", "text/html"
    before = fingerprints().of(odt), fingerprints().of(html)
    monkeypatch.setattr(OfficeParser, "revision", OfficeParser.revision + 1)
    parsers.parser_fingerprint.cache_clear()
    try:
        assert (fingerprints().of(odt) == before[0], fingerprints().of(html) == before[1]) == (
            False,
            True,
        )
    finally:
        parsers.parser_fingerprint.cache_clear()
