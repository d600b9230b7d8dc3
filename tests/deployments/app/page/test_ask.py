"""Questions on the page: answers that go on alone, their sources, and what people say of them."""

import json
import re
import time
from collections.abc import Iterator

import pytest
from sqlalchemy import select

from llmops.deployments.app.page.texts import texts_of
from llmops.tasks.access import spending
from llmops.tasks.audit import log
from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.application import feedback
from llmops.tasks.ledger.review import review_items
from llmops.tasks.ledger.tables import knowledge_bases
from llmops.tasks.review.finding import find
from llmops.tasks.review.items import ask_a_person
from tests.chat.apps import TALL, TEXTS, Towers, copied
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.readers import HOSTILE, TRACE, Reader
from tests.llm_faults import Answer
from tests.openai_server import Service
from tests.workshop import Workshop


@pytest.fixture
def reader(app: App) -> Reader:
    found = Reader(app)
    found.sign_in()
    return found


@pytest.fixture(scope="module")
def hostile(shelf: Workshop, tmp_path_factory: pytest.TempPathFactory) -> Iterator[App]:
    """A document that would like to be run."""
    towers = copied(shelf, tmp_path_factory.mktemp("hostile"))
    evil = f"The Evil Tower {HOSTILE} is 13 metres tall. [x](javascript:alert(1)) is near."
    towers.shop.build({**TEXTS, f"<b>{'evil'}</b>.txt": evil})
    with application(towers) as found:
        yield found


def test_an_answer_has_its_sources_and_each_opens_with_the_sentence(reader: Reader) -> None:
    trace, _, shown = reader.answered()
    assert 'data-state="done"' in shown
    (opener,) = set(re.findall(r'class="cite" hx-get="([^"]+)"', shown)[:1])
    opened = reader.get(opener.replace("&amp;", "&"), hx_request="true").text
    assert "<mark>The Eiffel Tower is 330 metres tall.</mark>" in opened
    assert opened.count("<mark>") == 1
    assert reader.get(f"/ask/turns/{trace}/passages/1").status_code == 200
    assert reader.get(f"/ask/turns/{trace}/passages/99").status_code == 404


def test_sources_are_the_same_after_a_reload_and_after_a_publish(towers: Towers) -> None:
    with application(towers) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, conversation, shown = reader.answered()
        opener = re.findall(r'class="cite" hx-get="([^"]+)"', shown)[0].replace("&amp;", "&")
        before = reader.get(opener).text
        reader.stored(app, trace)
        again = reader.get(f"/ask/c/{conversation}/turns").text
        assert re.findall(r"hx-get=\"[^\"]+\"", again) == re.findall(r"hx-get=\"[^\"]+\"", shown)
        assert reader.get(opener).text == before
        towers.shop.build({**TEXTS, "eiffel.txt": "The tower was taken down.", "new.txt": "New."})
        assert reader.get(opener).text == before


def test_a_passage_closes_with_its_document(towers: Towers) -> None:
    with application(towers) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, _, _ = reader.answered()
        path = f"/ask/turns/{trace}/passages/1"
        assert reader.get(path).status_code == 200
        from llmops.tasks.maintenance.erase import erase

        erase(towers.shop.handle, "eiffel.txt")
        closed = reader.get(path, hx_request="true")
        assert (closed.status_code, "330" in closed.text) == (404, False)


def test_answers_are_shown_to_whoever_asked_alone(app: App, reader: Reader) -> None:
    trace, conversation, _ = reader.answered()
    other = Reader(app)
    other.sign_in("Bo")
    paths = [
        f"/ask/turns/{trace}",
        f"/ask/turns/{trace}/events",
        f"/ask/turns/{trace}/passages/1",
        f"/ask/c/{conversation}/turns",
    ]
    assert {reader.get(path).status_code for path in paths} == {200}
    assert {other.get(path).status_code for path in paths} == {404}
    assert other.post(f"/ask/turns/{trace}/stop").status_code == 404
    assert other.post(f"/ask/turns/{trace}/feedback", {"rating": "up"}).status_code == 404
    assert conversation not in other.get("/ask/list").text


def test_conversations_are_listed_and_go_on(app: App) -> None:
    reader = Reader(app)
    reader.sign_in("Cleo")
    trace, conversation, _ = reader.answered()
    second, same, _ = reader.answered("When was Big Ben completed?", conversation=conversation)
    assert same == conversation
    reader.stored(app, second)
    reader.stored(app, trace)
    deadline = time.monotonic() + 10
    while conversation not in (listed := reader.get(f"/ask/list?conversation={conversation}").text):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    assert TALL in listed
    assert 'aria-current="page"' in listed
    turns = reader.get(f"/ask/c/{conversation}/turns").text
    assert TRACE.findall(turns) == [trace, second]


def test_a_conversation_is_deleted_by_who_had_it_alone(towers: Towers) -> None:
    with application(towers) as app:
        reader, other = Reader(app), Reader(app)
        reader.sign_in("Dora")
        other.sign_in("Bob")
        trace, conversation, _ = reader.answered()
        app.services.traces.enter(trace)
        ask_a_person(towers.home, "guide", "", trace, "", "mine")
        kept, elsewhere, _ = reader.answered("When was Big Ben completed?")
        app.services.traces.enter(kept)
        assert f'hx-post="/ask/c/{conversation}/delete"' in reader.get("/ask/list").text
        path = f"/ask/c/{conversation}/delete"
        opened = {"conversation": conversation}
        assert other.post(path, opened).status_code == 404
        assert reader.get(path).status_code == 405
        gone = reader.post(path, opened, hx_request="true")
        # MLflow does not answer these tests: the page says that something is left
        assert (gone.status_code, gone.headers["hx-redirect"]) == (204, "/?left")
        assert 'class="card left"' in reader.get("/?left").text
        assert reader.get(f"/ask/c/{conversation}/turns").status_code == 404
        assert reader.get(f"/ask/turns/{trace}").status_code == 404
        assert TALL not in (listed := reader.get("/ask/list").text)
        assert elsewhere in listed
        assert find(towers.home, "guide").total == 0
        entry = log.entries(towers.home, action="delete_trace")[0]
        assert (entry.who, entry.subject) == ("guide/Dora", f"trace/{trace}")
        assert reader.post(path, opened).status_code == 404


def test_a_conversation_that_is_deleted_ends_the_paid_call(
    towers: Towers, service: Service
) -> None:
    service.script = [Answer(200, b"", hang=True)]
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    with application(towers, llm=llm) as app:
        reader = Reader(app)
        reader.sign_in()
        _, conversation = reader.ask()
        deadline = time.monotonic() + 20
        while not service.under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        path, open_one = f"/ask/c/{conversation}/delete", "conv-another"
        gone = reader.post(path, {"conversation": open_one}, hx_request="true")
        assert gone.headers["hx-redirect"] == f"/ask/c/{open_one}?left"
        while service.under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        assert service.under_way == 0
        assert reader.get(f"/ask/c/{conversation}/turns").status_code == 404


def test_an_answer_goes_on_alone_and_stop_ends_the_paid_call(
    towers: Towers, service: Service
) -> None:
    service.script = [Answer(200, b"", hang=True)]
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    with application(towers, llm=llm) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, conversation = reader.ask()
        deadline = time.monotonic() + 20
        while not service.under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        again = reader.get(f"/ask/c/{conversation}/turns").text
        assert f'data-events="/ask/turns/{trace}/events"' in again
        assert TALL in again
        stopped = reader.post(f"/ask/turns/{trace}/stop").text
        assert 'data-state="stopped"' in stopped
        while service.under_way and time.monotonic() < deadline:
            time.sleep(0.05)
        assert service.under_way == 0
        reader.stored(app, trace)
        assert 'data-state="stopped"' in reader.get(f"/ask/turns/{trace}").text


def test_what_goes_wrong_is_said_in_the_reader_s_language_also_later(towers: Towers) -> None:
    llm = {"name": "openai", "model": "m", "base_url": "http://127.0.0.1:9/v1", "api_key": "k"}
    with application(towers, llm=llm) as app:
        reader = Reader(app)
        reader.sign_in()
        reader.post("/preferences", {"language": "ja"})
        trace, _, shown = reader.answered()
        reader.stored(app, trace)
        again = reader.get(f"/ask/turns/{trace}").text
    for each in (shown, again):
        assert 'data-state="failed"' in each
        assert "アプリの一部が応答していません" in each
        assert re.search(r"<code[^>]*>req-[0-9a-f]{24}</code>", each)


def test_thumbs_comments_and_better_answers_are_kept_and_withdrawn(
    app: App, reader: Reader
) -> None:
    trace, _, _ = reader.answered()
    path = f"/ask/turns/{trace}/feedback"

    def kept() -> tuple[str | None, str, str]:
        with open_ledger(app.towers.home).read() as connection:
            row = connection.execute(select(feedback).where(feedback.c.trace_id == trace)).one()
        return row.rating, row.comment, row.correction

    assert 'aria-pressed="true"' in reader.post(path, {"rating": "up"}).text
    assert kept() == ("up", "", "")
    said = {"rating": "down", "comment": HOSTILE, "correction": "It is 330 m."}
    assert "<script>" not in reader.post(path, said).text
    assert kept() == ("down", HOSTILE, "It is 330 m.")
    assert "it waits for a review" in reader.post(path, {**said, "saves": "1"}).text
    again = reader.get(f"/ask/turns/{trace}").text
    assert "It is 330 m.</textarea>" in again
    assert 'aria-pressed="true"' not in reader.post(path, {"rating": ""}).text
    assert kept() == (None, "", "")
    for wrong in ({"rating": "sideways"}, {"rating": "up", "comment": "x" * 2_001}):
        assert reader.post(path, wrong).status_code == 400


def test_a_person_can_be_asked(app: App, reader: Reader) -> None:
    trace, _, shown = reader.answered("What is the weather on Mars?")
    assert f"/ask/turns/{trace}/person" in shown
    reader.stored(app, trace)
    asked = reader.post(f"/ask/turns/{trace}/person", {"note": HOSTILE})
    assert asked.status_code == 200
    with open_ledger(app.towers.home).read() as connection:
        row = connection.execute(select(review_items).where(review_items.c.trace_id == trace)).one()
    assert (row.reasons, row.note, row.queue) == (["asked"], HOSTILE, "guide")
    assert reader.post(f"/ask/turns/{trace}/person", {"note": "x" * 2_001}).status_code == 400


def test_nothing_in_documents_questions_and_comments_is_run(hostile: App) -> None:
    reader = Reader(hostile)
    reader.sign_in()
    trace, conversation, shown = reader.answered(f"How tall is the Evil Tower? {HOSTILE}")
    passages = [
        reader.get(f"/ask/turns/{trace}/passages/{number}").text
        for number in re.findall(r"passages/(\d+)\"", shown)
    ]
    assert any("Evil Tower" in each for each in passages)
    reader.stored(hostile, trace)
    pages = [shown, *passages, reader.get(f"/ask/c/{conversation}/turns").text]
    pages.append(reader.get("/ask/list").text)
    for each in pages:
        assert not re.search(r"<script|<img|javascript:(?!alert\(1\)\))|<b>evil", each), each
        assert 'onerror="' not in each


@pytest.mark.parametrize(
    "fields",
    [{}, {"question": "  "}, {"question": "x" * 9_000}, {"question": "x", "conversation": "../x"}],
)
def test_what_is_no_question_is_refused(reader: Reader, fields: dict[str, str]) -> None:
    assert reader.post("/ask/questions", fields).status_code == 400


def published(towers: Towers, name: str) -> None:
    """As the ledger says it; nothing of it can be read."""
    with open_ledger(towers.home).write() as connection:
        connection.execute(knowledge_bases.insert().values(name=name, live=1, created_at=now()))


def test_a_knowledge_base_of_which_nothing_is_published_is_not_asked(towers: Towers) -> None:
    with application(towers, knowledge_bases=["unbuilt", "towers", "other"]) as app:
        reader = Reader(app)
        reader.sign_in()
        assert "unbuilt" not in reader.get("/").text
        shown = reader.answered()[2]
        assert 'data-state="done"' in shown
        assert "unbuilt" not in reader.answered(question="Who invented penicillin?")[2]
        assert "unbuilt" not in reader.get("/compare").text
        assert reader.get("/knowledge").headers["location"] == "/knowledge/towers"
        published(towers, "other")
        assert "<option>other</option>" in reader.get("/").text


def test_where_nothing_is_published_the_page_says_so(towers: Towers) -> None:
    told = texts_of("en")("errors.nothing_published")
    with application(towers, knowledge_bases=["unbuilt"]) as app:
        reader = Reader(app)
        reader.sign_in()
        assert told in reader.get("/").text
        refused = reader.post("/ask/questions", {"question": TALL}, hx_request="true")
        assert (refused.status_code, told in refused.text) == (503, True)


def test_a_conversation_goes_on_with_the_knowledge_base_that_it_asked_last(towers: Towers) -> None:
    published(towers, "other")
    with application(towers, knowledge_bases=["other", "towers"]) as app:
        reader = Reader(app)
        reader.sign_in()
        _, conversation, _ = reader.answered(knowledge_base="towers")
        shown = reader.get(f"/ask/c/{conversation}/turns").text
        assert "<option selected>towers</option>" in shown
        assert 'hx-swap-oob="true"' in shown
        assert "selected" not in reader.get("/").text


def test_a_knowledge_base_is_chosen_where_there_are_several(towers: Towers) -> None:
    published(towers, "other")
    bases, unknown = ["towers", "other"], 'If the passages do not answer it, say "I don\'t know".'
    (towers.folder / "short.yaml").write_text(json.dumps({
        "name": "short",
        "messages": [
            {"role": "system", "content": f"{unknown} Answer in one sentence.\n\n{{{{passages}}}}"},
            {"role": "user", "content": "{{question}}"},
        ],
    }))  # fmt: skip
    with application(towers, knowledge_bases=bases, prompt="short.yaml") as app:
        reader = Reader(app)
        reader.sign_in()
        assert "<option>other</option>" in reader.get("/").text
        assert 'data-state="done"' in reader.answered(knowledge_base="towers")[2]
        assert "Asked: towers" in reader.answered(knowledge_base="towers")[2]
        refused = reader.answered(question="Who invented penicillin?", knowledge_base="towers")[2]
        assert "I don&#39;t know" in refused or "I don't know" in refused
        others = re.findall(r'name="knowledge_base" value="(\w+)"', refused)
        assert others == ["other"]
        body = {"question": TALL, "knowledge_base": "secret"}
        assert reader.post("/ask/questions", body).status_code == 404


def test_the_month_s_budget_is_shown_to_a_key_that_has_one(keyed: App) -> None:
    key, presented = keyed.made("pays", usd_per_month=20)
    spending.spent(keyed.towers.home, key.id, 7.5, 100)
    reader, other = Reader(keyed), Reader(keyed)
    reader.sign_in(key=presented)
    other.sign_in(key=keyed.key("pays-not"))
    assert '<data value="12.5" data-show="usd">' in reader.get("/").text
    assert 'data-show="usd"' not in other.get("/").text
    again = re.search(r'id="budget" ([^>]*)>', reader.get("/").text)
    assert again is not None
    assert 'hx-target="this" hx-swap="innerHTML"' in again[1]  # not what the form around it has
    assert 'value="12.5"' in reader.get("/ask/budget").text


def test_a_key_does_on_the_page_what_its_scopes_say(keyed: App) -> None:
    reader = Reader(keyed)
    reader.sign_in(key=keyed.key("only-asks", scopes=["ask"]))
    trace, _, shown = reader.answered()
    assert "thumbs" not in shown
    assert reader.post(f"/ask/turns/{trace}/feedback", {"rating": "up"}).status_code == 403
    other = Reader(keyed)
    other.sign_in(key=keyed.key("never-asks", scopes=["feedback"]))
    assert other.get("/").status_code == 403
    assert other.post("/ask/questions", {"question": TALL}).status_code == 403


def test_so_many_answers_are_written_at_once(towers: Towers, service: Service) -> None:
    service.script = [Answer(200, b"", hang=True)]
    llm = {"name": "openai", "model": "m", "base_url": service.base_url, "api_key": "k"}
    with application(towers, llm=llm, limits={"concurrency": 1}) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, _ = reader.ask()
        busy = reader.post("/ask/questions", {"question": TALL}, hx_request="true")
        assert (busy.status_code, busy.headers["retry-after"]) == (503, "1")
        reader.post(f"/ask/turns/{trace}/stop")
        assert reader.post("/ask/questions", {"question": TALL}).status_code == 200
