"""Sketching and judging with a real ledger, without flow and store: however documents come, the end
is that of one build of all.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import func, select

from llmops.tasks.filters.metadata import MetadataSchema
from llmops.tasks.knowledge import collect as collecting
from llmops.tasks.knowledge import corpus, planner, sketches, transform
from llmops.tasks.knowledge.build import Batch, Build, Specs
from llmops.tasks.knowledge.changes import find_changes
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.plan import Plan
from llmops.tasks.knowledge.planner import Planner
from llmops.tasks.knowledge.publish import publish
from llmops.tasks.knowledge.quarantine import items
from llmops.tasks.knowledge.start import fingerprints_of
from llmops.tasks.knowledge.versions import open_version, register
from llmops.tasks.ledger import now, tables
from llmops.tasks.ledger.leases import hold
from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker
from llmops.tasks.plugins.cleaners import Cleaner
from llmops.tasks.plugins.cleaners.boilerplate import BoilerplateCleaner
from llmops.tasks.plugins.cleaners.near_duplicates import NearDuplicatesCleaner
from llmops.tasks.plugins.cleaners.whitespace import WhitespaceCleaner
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from llmops.tasks.plugins.parsers import DEFAULTS, Parsed
from llmops.tasks.plugins.sources import Item, Raw, Source
from llmops.tasks.schemas import sha256
from tests.ledgers import with_ledger

BASES = [
    " ".join(
        f"{word}{base}{turn}"
        for turn in range(8)
        for word in ("lamp", "river", "stone", "garden", "winter", "salt", "mirror")
    )
    for base in range(3)
]
ENDINGS = (
    "",
    "\nMade by the keepers of the harbour light.",
    "\nMade by the keepers of the harbour light.\nCall us.",
)
CLEANERS: tuple[Cleaner, ...] = (
    WhitespaceCleaner(),
    BoilerplateCleaner(min_documents=3),
    NearDuplicatesCleaner(),
)
TEXTS = st.builds(
    lambda base, extra, ending: BASES[base] + " more" * extra + ENDINGS[ending],
    st.integers(0, 2),
    st.integers(0, 3),
    st.integers(0, 2),
)


class Texts(Source):
    """Documents given as a dict; `hashes`: whether it says before reading whether one has
    changed.
    """

    documents: dict[str, str]
    hashes: bool = False

    def scan(self, found: Any) -> str:
        for uri, text in self.documents.items():
            found(Item(uri=uri, revision="" if self.hashes else sha256(text), size=len(text)))
        return ""

    def content_hash(self, item: Item) -> str | None:
        return sha256(self.documents[item.uri]) if self.hashes else None

    def read(self, item: Item) -> Raw:
        return Raw(data=self.documents[item.uri].encode())


class Plain:
    """A parser that counts what it parses."""

    def __init__(self) -> None:
        self.parsed: list[str] = []

    def parse(self, data: bytes, uri: str, media_type: str = "") -> Parsed:
        self.parsed.append(uri)
        return Parsed(text=data.decode(), media_type=media_type or "text/plain")


class Home:
    """Builds without chunks: from a listing to published documents."""

    def __init__(self, home: Path, cleaners: Sequence[Cleaner] = CLEANERS) -> None:
        self.home, self.cleaners = with_ledger(home), cleaners
        self.parser, self.version = Plain(), 0

    def start(self) -> Build:
        fingerprints = fingerprints_of(
            self.cleaners, "", SentenceChunker(), HashEmbedder(), MetadataSchema(), DEFAULTS
        )
        return Build(
            handle=Handle(home=self.home, name="kb"),
            version=self.version + 1,
            live=self.version or None,
            collection="c",
            fresh=not self.version,
            specs=Specs(
                chunk=Spec(name="sentence"), embed=Spec(name="hash"), store=Spec(name="lancedb")
            ),
            fingerprints=fingerprints,
            began=now(),
        )

    def collected(self, build: Build, source: Source) -> tuple[Plan, list[Batch]]:
        planner = Planner(build)
        planner.add("texts", source, source.list())
        found, batches = planner.finish(), list[Batch]()
        for turn in range(len(build.fingerprints.corpus)):
            batches += self._collected(build, source, found, batches)
            batches = [corpus.sketch(build, self.cleaners, turn, one) for one in batches]
            found = corpus.judge(build, self.cleaners, turn, found, batches)
        batches += self._collected(build, source, found, batches)
        return found, [transform.clean(build, self.cleaners, batch) for batch in batches]

    def _collected(
        self, build: Build, source: Source, found: Plan, done: Sequence[Batch]
    ) -> list[Batch]:
        parts = planner.parts(build, found, [batch.part for batch in done])
        return [collecting.collect(build, source, self.parser, part) for part in parts]

    def build(
        self, documents: Mapping[str, str], *, hashes: bool = False, failing: Sequence[str] = ()
    ) -> Plan:
        """`failing`: documents that do not get through what comes after cleaning."""
        build = self.start()
        register(build.handle)
        with hold(self.home, build.kb) as lease:
            found, batches = self.collected(build, Texts(documents=dict(documents), hashes=hashes))
            lost = {
                row["doc_id"]
                for batch in batches
                for row in transform.rows_of(build, batch.documents)
                if row["uri"] in failing
            }
            staged = [
                find_changes(build, transform.without(build, batch, lost)) for batch in batches
            ]
            found = corpus.kept(build, found, staged)
            open_version(
                build.handle,
                lease,
                {"version": build.version, "parent": build.live, "collection": "c"},
            )
            publish(build, lease, found, staged, found.leaving, {})
        self.version += 1
        return found

    def state(self) -> tuple[Any, ...]:
        """Live documents with text and metadata, what is left out and why, and what is remembered
        of all.
        """
        build, live = self.start(), tables.documents
        columns = [
            tables.sketches.c[name]
            for name in ("cleaner", "uri", "content_hash", "sketch", "verdict")
        ]
        wanted = select(live.c.uri, live.c.text_hash, live.c.metadata, live.c.text_stage).where(
            live.c.valid_to.is_(None)
        )
        with build.ledger.read() as connection:
            documents, sketched = (
                sorted(map(tuple, connection.execute(query)))
                for query in (wanted, select(*columns))
            )
        return (
            documents,
            sorted((item["uri"], item["reason"]) for item in items(build.ledger)),
            sketched,
        )


@pytest.mark.slow
@settings(max_examples=12, deadline=None)
@given(
    st.lists(st.dictionaries(st.sampled_from("abcdef"), TEXTS, min_size=1), min_size=2, max_size=4),
    st.booleans(),
)
def test_builds_one_after_the_other_end_where_one_build_of_the_last_documents_ends(
    steps: list[dict[str, str]], hashes: bool
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        home, fresh = Home(Path(one)), Home(Path(other))
        for documents in steps:
            home.build(documents, hashes=hashes)
        fresh.build(steps[-1], hashes=hashes)
        assert home.state() == fresh.state()
        parsed = len(home.parser.parsed)
        again = home.build(steps[-1], hashes=hashes)
        assert (again.todo, len(home.parser.parsed)) == ([], parsed)
        assert home.state() == fresh.state()


@pytest.mark.slow
@settings(max_examples=6, deadline=None)
@given(
    st.dictionaries(st.sampled_from("abcdef"), TEXTS, min_size=3),
    st.dictionaries(st.sampled_from("abcdef"), TEXTS, min_size=3),
)
def test_a_survey_that_never_published_makes_no_difference(
    first: dict[str, str], second: dict[str, str]
) -> None:
    with TemporaryDirectory() as one, TemporaryDirectory() as other:
        home, fresh = Home(Path(one)), Home(Path(other))
        home.build(first)
        home.collected(home.start(), Texts(documents=second))
        home.build(first)
        fresh.build(first)
        assert home.state() == fresh.state()


def test_no_document_is_parsed_or_read_again_because_another_one_came(tmp_path: Path) -> None:
    home = Home(tmp_path)
    texts = {"a": BASES[0] + ENDINGS[1], "b": BASES[1] + ENDINGS[1], "c": BASES[2] + ENDINGS[1]}
    home.build(texts)
    found = home.build(
        {
            "a": texts["a"],
            "b": texts["b"],
            "d": BASES[2] + " more",
            "e": BASES[1] + " more",
            "f": "Of no kind.",
        }
    )
    assert {todo.uri for todo in found.todo} == {
        "a",
        "b",
        "d",
        "e",
        "f",
    }  # a and b because their last line is no boilerplate now
    assert home.parser.parsed == ["a", "b", "c", "d", "e", "f"]
    assert [one.uri for one in found.duplicates] == ["e"]  # with its last line b is the longer one


def test_a_document_that_fails_later_replaces_nothing_and_is_trusted_again_when_it_gets_through(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, (NearDuplicatesCleaner(),))
    texts = {"short": BASES[0], "other": BASES[1]}
    home.build(texts)
    texts |= {"long": BASES[0] + " more and more"}
    for _ in range(3):
        found = home.build(texts, failing=["long"])
        assert (found.replaced, live(home)) == ({}, ["other", "short"])
    assert not found.duplicates
    home.build(texts)
    home.build(texts)
    assert live(home) == ["long", "other"]


def test_a_duplicate_that_was_never_live_comes_in_when_the_better_one_fails(tmp_path: Path) -> None:
    home = Home(tmp_path, (NearDuplicatesCleaner(),))
    texts = {"short": BASES[0], "long": BASES[0] + " more and more"}
    found = home.build(texts, failing=["long"])
    assert (found.duplicates, live(home)) == ([], [])
    assert any("brought in by the next build: short" in note for note in found.notes)
    home.build(texts, failing=["long"])
    assert live(home) == ["short"]


def test_what_is_remembered_of_documents_that_are_gone_and_of_other_configs_is_forgotten(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path)
    home.build({"a": BASES[0], "b": BASES[1]})
    home.cleaners = (NearDuplicatesCleaner(similarity=0.9),)
    home.build({"a": BASES[0]})
    with home.start().ledger.read() as connection:
        assert connection.scalar(select(func.count()).select_from(tables.sketches)) == 1


def live(home: Home) -> list[str]:
    return [row[0] for row in home.state()[0]]


def test_a_verdict_stays_with_its_sketch_and_goes_with_it(tmp_path: Path) -> None:
    home = Home(tmp_path)
    build = home.start()
    key = build.fingerprints.corpus[0]
    row = {
        "doc_id": "d",
        "source": "s",
        "uri": "u",
        "revision": "r",
        "content_hash": "h",
        "sketch": b"1",
    }
    sketches.save(build, key, [row])
    assert sketches.verdicts_of(build, key, ["d"]) == {"d": sketches.OPEN}
    sketches.judged(build, key, {"d": ""}, {"d": "r2"})
    sketches.save(build, key, [row])
    assert sketches.verdicts_of(build, key, ["d"]) == {"d": ""}
    sketches.save(build, key, [{**row, "sketch": b"2"}])
    assert sketches.verdicts_of(build, key, ["d"]) == {"d": sketches.OPEN}


def test_a_document_that_is_mended_leaves_the_quarantine_and_one_in_its_last_good_form_stays_there(
    tmp_path: Path,
) -> None:
    home = Home(tmp_path, (WhitespaceCleaner(),))
    home.build({"a": "Fine.", "b": "  "})
    home.build({"a": "  ", "b": "Mended."})
    assert (live(home), [uri for uri, _ in home.state()[1]]) == (["a", "b"], ["a"])
    home.build({"a": "  ", "b": "Mended again."})
    assert (live(home), [uri for uri, _ in home.state()[1]]) == (["a", "b"], ["a"])
