"""`from llmops import KnowledgeBase`: what a reader gets, while versions come and go."""

import asyncio
import pickle
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from pydantic import ValidationError

from llmops.knowledge_base import KnowledgeBase, Named, _Reading
from llmops.tasks.errors import ConfigError, Unavailable, UsageError
from llmops.tasks.ledger import close_ledgers
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.maintenance.versions import rollback
from llmops.tasks.plugins import Spec
from llmops.tasks.retrieval.modes import Mode
from tests.library import BASE, ROWS, TALL, Library, edited
from tests.workshop import STORES


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Library:
    """For tests that only read."""
    library = Library(tmp_path_factory.mktemp("library"))
    library.publish(ROWS)
    close_ledgers()
    return library


@pytest.fixture
def library(tmp_path: Path) -> Library:
    return Library(tmp_path)


def test_a_passage_says_where_it_is_from(built: Library) -> None:
    first = built.reader().search(TALL, k=2)[0]
    assert first.text.startswith("The Eiffel Tower is 330 metres tall.")
    assert (first.rank, first.uri, first.title) == (1, "paris/eiffel.txt", "The Eiffel Tower")
    assert (first.knowledge_base, first.version, first.source) == (BASE, 1, "jsonl")
    assert first.metadata == {"year": 1889, "kinds": ["iron", "famous"]}
    assert first.labels == ("public",)
    text = str(ROWS[first.uri]["text"])
    assert text[first.start : first.end] == first.text
    with pytest.raises(ValidationError, match="frozen"):
        first.rank = 2  # type: ignore[misc]


def test_a_search_gives_what_the_command_gives(
    built: Library, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.commandline import llmops

    monkeypatch.setenv("LLMOPS_HOME", str(built.home))
    words = ("search", TALL, "--kb", BASE, "--label", "staff", "--where", "year > 1800")
    said = llmops(*words, "--json").data
    found = KnowledgeBase(BASE).search(TALL, labels={"staff"}, where="year > 1800")
    assert said["version"] == found[0].version
    ours = [each.model_dump(mode="json", exclude={"knowledge_base", "version"}) for each in found]
    assert ours == said["hits"]
    assert len(ours) > 2


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_labels_and_conditions_decide_in_every_mode(built: Library, mode: str) -> None:
    kb = built.reader()
    search = {"k": 50, "mode": mode}
    public = kb.search(TALL, **search)  # type: ignore[arg-type]
    staff = kb.search(TALL, labels=["staff"], **search)  # type: ignore[arg-type]
    late = kb.search(TALL, labels=["staff"], where="year > 1880", **search)  # type: ignore[arg-type]
    assert "plans/secret.txt" not in {each.uri for each in public}
    assert "plans/secret.txt" in {each.uri for each in staff}
    assert {each.uri for each in late} == {"plans/secret.txt", "paris/eiffel.txt"}
    assert next(each for each in staff if each.uri == "plans/secret.txt").labels == ("staff",)
    assert kb.search(TALL, labels=["press"], **search) == public  # type: ignore[arg-type]


@pytest.mark.parametrize("mode", ["hybrid", "vector", "text"])
def test_many_questions_find_what_each_finds(built: Library, mode: Mode) -> None:
    kb = built.reader()
    asked = [TALL, "the bell of london", "zzz", TALL, "leaning"]
    for where, labels in (("", ["staff"]), ("year > 1880", ["staff"]), ("year > 1880", ())):
        alone = [kb.search(each, 2, mode, where, labels) for each in asked]
        assert kb.search_many(asked, 2, mode, where, labels) == alone
    assert kb.search_many([]) == []


def test_many_questions_are_many_and_each_says_something(built: Library) -> None:
    kb = built.reader()
    with pytest.raises(UsageError, match="allowed: texts"):
        kb.search_many("password")
    with pytest.raises(UsageError, match="question 2 of 3 is empty"):
        kb.search_many(["a", " ", ""])
    with pytest.raises(UsageError, match="k from 1 to"):
        kb.search_many(["a"], k=0)


def test_documents_are_those_that_a_search_may_see(built: Library) -> None:
    kb = built.reader()
    assert [each.uri for each in kb.documents()] == [
        "london/bigben.txt",
        "paris/eiffel.txt",
        "pisa.txt",
    ]
    (secret,) = kb.documents("year = 2030", {"staff"})
    assert (secret.uri, secret.labels, secret.chunks) == ("plans/secret.txt", ("staff",), 1)
    assert kb.documents("year = 2030") == []
    assert len(kb.documents(restricted=True)) == kb.status().documents == 4


def test_status_and_explanations(built: Library) -> None:
    kb = built.reader()
    assert (kb.fields["year"], kb.fields["uri"], kb.pinned) == ("integer", "text", None)
    status = kb.status()
    assert (status.knowledge_base, status.version, status.store) == (BASE, 1, "lancedb")
    assert [(each.source, each.documents) for each in status.sources] == [("jsonl", 4)]
    passage = kb.search(TALL)[0]
    told = kb.explain(passage.chunk_id[:12])
    assert (told.kind, told.uri, told.live) == ("chunk", passage.uri, True)
    assert [(each.version, each.status) for each in told.versions] == [(1, "live")]
    assert kb.explain("pisa.txt").kind == "document"
    with pytest.raises(UsageError, match="is no chunk and no document"):
        kb.explain("babel.txt")


def test_it_follows_builds_and_rollbacks_or_stays_where_it_is_pinned(library: Library) -> None:
    kb = library.reader()
    with pytest.raises(UsageError, match="no knowledge base 'towers' has been published"):
        kb.search(TALL)
    library.publish(ROWS)
    pinned = library.reader(version=1)
    for reader in (kb, pinned):
        assert "330 metres" in reader.search(TALL)[0].text
    library.publish(edited("331 metres"))
    assert (kb.version, pinned.version) == (2, 1)
    assert "331 metres" in kb.search(TALL)[0].text
    assert "330 metres" in pinned.search(TALL)[0].text
    assert {each.version for each in pinned.search("tower", 50)} == {1}
    rollback(library.handle, None)
    assert "330 metres" in kb.search(TALL)[0].text
    assert kb.version == kb.search(TALL)[0].version == kb.status().version == 1


def test_what_is_pinned_must_be_published_and_kept(library: Library) -> None:
    library.publish(ROWS)
    first = library.reader(version=1)
    assert first.search(TALL)
    for metres in (331, 332):
        library.publish(edited(f"{metres} metres"), keep=1)
    with pytest.raises(UsageError, match="version 1 of 'towers' is expired"):
        first.search(TALL)
    with pytest.raises(UsageError, match="has no version 9"):
        library.reader(version=9).search(TALL)
    with pytest.raises(UsageError, match="allowed: a whole number from 1"):
        library.reader(version="3")  # type: ignore[arg-type]


def test_what_is_erased_is_gone_from_the_next_search_on(library: Library) -> None:
    library.publish(ROWS)
    kb = library.reader()
    for _ in range(6):  # as often as the store needs to hold it in memory
        assert kb.search(TALL)[0].uri == "paris/eiffel.txt"
    erase(library.handle, "paris/eiffel.txt")
    assert {each.uri for each in kb.search(TALL, 50)} == {"london/bigben.txt", "pisa.txt"}
    told = kb.explain("paris/eiffel.txt")
    assert (told.kind, told.live, told.versions) == ("absent", False, ())
    assert "it was erased at" in told.message


def test_a_base_that_is_dropped_and_built_anew_is_another_one(library: Library) -> None:
    from llmops.tasks.maintenance.drop import drop

    library.publish(ROWS)
    kb = library.reader()
    for _ in range(6):
        assert "330 metres" in kb.search(TALL)[0].text
    before = library.live
    with library.handle.hold() as lease:
        drop(library.handle, lease)
    library.publish(edited("12 metres"))
    assert (library.live.version, library.live.snapshot) == (before.version, before.snapshot)
    assert library.live != before
    assert "12 metres" in kb.search(TALL)[0].text


@pytest.mark.parametrize("store", STORES)
def test_eight_threads_see_no_gap_and_no_mix_while_versions_are_published(
    tmp_path: Path, store: Spec
) -> None:
    """Only the newest version is kept: a reader may lose its own in the middle of a search."""
    library = Library(tmp_path, store)
    library.publish(edited("100 metres"))
    kb, ended = library.reader(), threading.Event()

    def work() -> list[tuple[int, frozenset[str], int]]:
        seen = []
        while not ended.wait(0.02):  # the builder has but one core of the same process
            found = kb.search(TALL, 50)
            heights = {each.text.split(" metres")[0][-3:] for each in found if "Paris" in each.text}
            seen.append((found[0].version, frozenset(heights), len(found)))
            assert len({each.version for each in found}) == 1
        return seen

    with ThreadPoolExecutor(8) as pool:
        running = [pool.submit(work) for _ in range(8)]
        try:
            for version in range(2, 6):
                library.publish(edited(f"{100 * version} metres"), keep=1)
        finally:
            ended.set()
        seen = [each.result() for each in running]
    library.drop()
    for each in seen:
        versions = [version for version, _, _ in each]
        assert versions == sorted(versions)
    flat = [one for each in seen for one in each]
    assert len({version for version, _, _ in flat}) > 2
    assert {size for _, _, size in flat} == {flat[0][2]}
    assert flat[0][2] > 2
    assert all(heights == {str(100 * version)} for version, heights, _ in flat)


def test_a_version_that_is_freed_in_the_middle_of_a_search_is_no_error(library: Library) -> None:
    library.publish(ROWS)
    kb, read = library.reader(), []

    def work(reading: _Reading) -> str:
        read.append(reading.version.version)
        if len(read) == 1:
            library.publish(edited("331 metres"), keep=1)
        return str(reading.searcher.passages(TALL, 1)[0]["text"])

    assert "331 metres" in kb._read(work)
    assert read == [1, 2]


def test_a_running_event_loop_goes_on_during_a_search(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    library = Library(tmp_path)
    library.publish(ROWS)
    kb, begun, go = library.reader(), threading.Event(), threading.Event()
    plain = KnowledgeBase.search

    def waiting(*given: object, **options: object) -> object:
        begun.set()
        assert go.wait(60)
        return plain(*given, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(KnowledgeBase, "search", waiting)

    async def cell() -> list[str]:
        search = asyncio.create_task(kb.asearch(TALL, k=1, labels={"staff"}, where="year > 2000"))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        go.set()  # only a loop that goes on gets here
        return [each.uri for each in await search]

    assert asyncio.run(cell()) == ["plans/secret.txt"]


def test_many_searches_at_once_in_a_loop(built: Library) -> None:
    async def cell() -> set[str]:
        kb = built.reader()
        found = await asyncio.gather(*(kb.asearch(TALL, k=1) for _ in range(20)))
        return {each[0].uri for each in found}

    assert asyncio.run(cell()) == {"paris/eiffel.txt"}


def test_it_goes_on_while_the_ledger_does_not_answer(
    library: Library, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    library.publish(ROWS)
    kb = library.reader()
    before = kb.search(TALL)
    close_ledgers()
    file = library.home / "ledger.db"
    file.rename(library.home / "elsewhere.db")
    file.mkdir()  # a database cannot be opened here
    assert kb.search(TALL) == before
    assert "goes on with version 1" in caplog.text
    with pytest.raises(Unavailable):
        library.reader().search(TALL)


def test_closed_is_closed_and_a_pickle_is_a_name(library: Library) -> None:
    library.publish(ROWS)
    with library.reader(version=1) as kb:
        assert kb.search(TALL)
        again = pickle.loads(pickle.dumps(kb))
    kb.close()
    with pytest.raises(UsageError, match=r"KnowledgeBase\('towers', home=.*version=1\) is closed"):
        kb.search(TALL)
    assert again.search(TALL)[0].version == 1
    assert repr(again) == repr(kb)


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"query": "  "}, "the question is empty"),
        ({"k": 0}, "allowed: hybrid, vector, text and k from 1 to 1000"),
        ({"mode": "magic"}, "allowed: hybrid, vector, text"),
        ({"where": "height > 3"}, "'height' at character 1 is no declared field"),
        ({"labels": "staff"}, "allowed: a set of texts"),
        ({"labels": None}, "allowed: a set of texts"),
        ({"k": "5"}, "got mode 'hybrid' and k '5'; allowed"),
        ({"k": 1.5}, "k from 1 to 1000"),
        ({"query": None}, "got query=None"),
        ({"where": None}, "where=None; allowed: texts"),
        ({"vector": ["a"] * 384}, "a vector that holds no numbers"),
        ({"vector": [1.0, 2.0]}, r"got a vector of shape \(2,\); allowed: \("),
        ({"vector": [0.0] * 384}, "finite and not zero"),
    ],
)
def test_what_cannot_be_asked_is_told(built: Library, given: dict[str, object], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        built.reader().search(**{"query": TALL, **given})  # type: ignore[arg-type]


def test_a_reranker_orders_what_was_found(built: Library) -> None:
    """`overlap` counts words: the passage that holds all of the question's comes first."""
    kb, asked = built.reader(), "a bell in Italy that leans by degrees"
    for rerank in ("overlap", {"name": "overlap", "candidates": 3}):
        found = kb.search(asked, k=3, mode="vector", rerank=rerank)
        assert found[0].uri == "pisa.txt"
        assert [each.rank for each in found] == [1, 2, 3]
        assert [each.score for each in found] == sorted(
            (each.score for each in found), reverse=True
        )
        assert 0 < found[0].score <= 1
    assert {each.uri for each in kb.search(asked, 4, rerank="overlap")} == set(ROWS) - {
        "plans/secret.txt"
    }


def test_where_a_reranker_does_not_answer_the_plain_order_stands(
    built: Library, caplog: pytest.LogCaptureFixture
) -> None:
    kb, gone = built.reader(), "http://127.0.0.1:9/v1"
    dead = {"name": "endpoint", "base_url": gone, "model": "m", "retries": 0, "patience": 1}
    found = kb.search(TALL, k=3, rerank=dead)
    assert found == kb.search(TALL, k=3)
    assert "the plain order of towers stands: " in caplog.text


@pytest.mark.parametrize(
    ("rerank", "says"),
    [("overlp", "did you mean overlap"), ({"name": "overlap", "candidates": 1}, "candidates")],
)
def test_a_wrong_reranker_is_told(built: Library, rerank: Named, says: str) -> None:
    with pytest.raises(ConfigError, match=says):
        built.reader().search(TALL, rerank=rerank)


def test_a_vector_at_hand_is_used(built: Library) -> None:
    kb = built.reader()
    vector = [2 * float(each) for each in built.model.embed(["the Great Bell in London"])[0]]
    assert kb.search(TALL, 1, "vector", vector=vector)[0].uri == "london/bigben.txt"
    assert kb.search(TALL, 1, "vector")[0].uri == "paris/eiffel.txt"


def test_the_home_is_that_of_the_settings(built: Library, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LLMOPS_HOME", str(built.home))
    assert KnowledgeBase(BASE).home == built.home
    monkeypatch.chdir(built.home.parent)
    assert KnowledgeBase(BASE, home="home").search(TALL, 1)[0].uri == "paris/eiffel.txt"
