"""The tab Compare without a browser: what is compared, who may, drafts, votes."""

import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from httpx2 import Response

from llmops.deployments.app.page.texts import LANGUAGES, texts_of
from llmops.tasks.chat.asked import asked_lately
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.maintenance.erase import erase
from llmops.tasks.prompts.registry import everything
from llmops.tasks.review.preferences import listed
from llmops.tasks.traces import index
from llmops.tasks.traces.deletion import delete_trace
from llmops.tasks.traces.trace import COMPARED
from tests.chat.apps import TALL, Towers, copied
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.pages import Visitor
from tests.openai_server import Service, serving
from tests.workshop import Workshop

OWN = "Answer from the passages"
QUESTIONED = "{{passages}} {{question}}"
DRAFT = {"text-1-0": "Be brief.\r\n{{passages}}", "text-1-1": "{{question}}"}


@pytest.fixture(scope="module")
def models() -> Iterator[Service]:
    with serving(lambda messages: f"<b>Tall</b>: {len(messages[0]['content'])} [1].") as found:
        yield found


@pytest.fixture(scope="module")
def app(
    shelf: Workshop, tmp_path_factory: pytest.TempPathFactory, models: Service
) -> Iterator[App]:
    """Offline by itself; a model that may be tried beside."""
    tried = {"name": "openai", "model": "big", "base_url": models.base_url, "retries": 0}
    tried |= {"price_in": 1.0, "price_out": 2.0}
    towers = copied(shelf, tmp_path_factory.mktemp("compare"))
    with application(towers, compare={"llms": [tried]}) as found:
        yield found


@pytest.fixture(scope="module")
def visitor(app: App) -> Visitor:
    """One for all tests: nobody may sign in as often as there are tests."""
    found = Visitor(app)
    found.sign_in("Anna")
    return found


@pytest.fixture
def registry(monkeypatch: pytest.MonkeyPatch, app: App) -> None:
    """Prompts are in the home's own store; traces wait all the same."""
    monkeypatch.delenv("LLMOPS_MLFLOW_TRACKING_URI")


def fields(**changes: str) -> dict[str, str]:
    sides = {"prompt-0": "", "model-0": "extractive", "prompt-1": "", "model-1": "big"}
    return {"question": TALL, "what": "question", **sides, **changes}


def trial_of(response: Response) -> str:
    found = re.search(r'data-trial="([0-9a-f]+)"', response.text)
    assert found, response.text
    return found[1]


def told(visitor: Visitor, trial: str) -> list[dict[str, Any]]:
    """Everything that a trial has come to, waited for to its end."""
    response = visitor.get(f"/compare/events?trial={trial}")
    assert response.status_code == 200
    lines = [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]
    assert lines[-1] == "[DONE]"
    return [json.loads(line) for line in lines[:-1]]


def compared(visitor: Visitor, **changes: str) -> tuple[str, list[dict[str, Any]]]:
    trial = trial_of(visitor.post("/compare/run", fields(**changes)))
    return trial, told(visitor, trial)


def text_of(events: list[dict[str, Any]], kind: str) -> str:
    return "".join(each["html"] for each in events if each["kind"] == kind)


def test_sides_answer_as_they_write_from_the_same_passages(visitor: Visitor) -> None:
    _, events = compared(visitor)
    kinds = [each["kind"] for each in events]
    assert kinds[:2] == ["row", "shown"]
    assert kinds[-2:] == ["ready", "over"]
    assert kinds.count("end") == 2
    answers = text_of(events, "end")
    assert "The Eiffel Tower is 330 metres tall [1]." in answers
    assert "big" in answers
    assert "extractive" in answers
    given = text_of(events, "shown")
    assert "eiffel.txt" in given
    assert "Answer from the passages in one sentence" in given


def test_what_models_and_people_write_is_text(visitor: Visitor) -> None:
    hostile = "How tall is <img src=x onerror=alert(1)> the Eiffel Tower?"
    _, events = compared(visitor, question=hostile, **DRAFT | {"text-1-0": "<i>{{passages}}"})
    told_ = "".join(each.get("html", "") for each in events)
    assert "&lt;b&gt;Tall&lt;/b&gt;" in told_
    assert not re.search(r"<(img|b>Tall|i>)", told_)
    page = visitor.get("/compare").text
    assert "<img" not in page
    assert "&lt;img src=x" in page


def test_a_reload_shows_form_and_answers_again(visitor: Visitor) -> None:
    trial, events = compared(visitor, blind="", **DRAFT)
    page = visitor.get("/compare")
    assert trial_of(page) == trial
    assert f"\n{TALL}</textarea>" in page.text
    assert "\nBe brief.\n{{passages}}</textarea>" in page.text
    again = told(visitor, trial)
    assert [each["kind"] for each in again if each["kind"] != "piece"] == [
        each["kind"] for each in events if each["kind"] != "piece"
    ]
    assert text_of(again, "end") == text_of(events, "end")


def test_names_are_hidden_until_somebody_has_voted(app: App, visitor: Visitor) -> None:
    trial, events = compared(visitor, blind="1")
    shown = "".join(each.get("html", "") for each in events)
    assert not re.search(r"\b(big|extractive|Answer from the passages)\b", shown)
    assert "compare/vote" in shown
    after = visitor.post("/compare/vote", {"trial": trial, "row": "0", "place": "0"})
    assert after.headers["hx-trigger"] == "compare-voted"
    assert "big" in after.text
    assert "extractive" in after.text
    late = visitor.post("/compare/vote", {"trial": trial, "row": "0", "place": "1"})
    assert late.status_code == 409


def test_a_vote_is_a_pair_that_can_be_taken_back(app: App, visitor: Visitor) -> None:
    trial, _ = compared(visitor, **DRAFT)
    vote = {"trial": trial, "row": "0", "place": "1", "comment": "<b>Short</b>"}
    shown = visitor.post("/compare/vote", vote).text
    assert texts_of("en")("compare.voted", n=1) in shown
    (pair, *_) = listed(app.towers.home, app.services.app, ())
    assert pair.question == TALL
    assert pair.chosen.prompt.startswith("draft:towers@")
    assert pair.chosen.messages[0].content.startswith("Be brief.\n[1] ")
    assert (pair.chosen.model, pair.rejected.model) == ("big", "extractive")
    assert pair.rejected.answer == "The Eiffel Tower is 330 metres tall [1]."
    assert len(pair.person) == 64
    votes = visitor.get("/compare/votes").text
    assert "&lt;b&gt;Short&lt;/b&gt;" in votes
    assert "draft:" not in votes
    assert texts_of("en")("compare.a_draft", prompt="towers") in votes
    assert texts_of("en")("compare.too_few") in votes
    back = visitor.post("/compare/withdraw", {"trial": trial, "row": "0"})
    assert texts_of("en")("compare.which") in back.text
    assert pair.id not in {each.id for each in listed(app.towers.home, app.services.app, ())}


def test_all_that_is_wrong_is_told_at_once_in_the_readers_language(visitor: Visitor) -> None:
    wrong = {"question": " ", "model-0": "http://evil.example"}
    wrong |= {"text-1-0": "{{nobody}} {{", "text-1-1": ""}
    for code in LANGUAGES:
        t = texts_of(code)
        shown = visitor.post("/compare/run", fields(**wrong), accept_language=code).text
        for name, found in (
            *(("question", ""), ("model", "http://evil.example"), ("unknown", "nobody")),
            *(("placeholder", "{{"), ("empty", ""), ("no_question", "")),
        ):
            said = t(f"compare.wrong_{name}", found=found)
            assert said in shown, (code, name, shown)


@pytest.mark.parametrize(
    ("changes", "kind"),
    [
        ({"prompt-1": "/etc/passwd"}, "prompt"),
        ({"prompt-1": "prompts:/nothing/1"}, "prompt"),
        ({"knowledge_base": "other"}, "base"),
    ],
)
def test_only_what_there_is_is_compared(
    registry: None, visitor: Visitor, changes: dict[str, str], kind: str
) -> None:
    shown = visitor.post("/compare/run", fields(**changes)).text
    found = next(iter(changes.values()))
    assert texts_of("en")(f"compare.wrong_{kind}", found=found) in shown


def test_two_sides_that_are_the_same_are_refused(visitor: Visitor) -> None:
    said = texts_of("en")("compare.wrong_same", found="A")
    assert said in visitor.post("/compare/run", fields(**{"model-1": "extractive"})).text
    both = fields(**DRAFT, **{"text-0-0": DRAFT["text-1-0"], "text-0-1": "{{question}}"})
    assert said in visitor.post("/compare/run", {**both, "model-1": "extractive"}).text
    assert said not in visitor.post("/compare/run", both).text


def test_no_preference_is_thanked_for_and_not_counted(app: App, visitor: Visitor) -> None:
    trial, events = compared(visitor, blind="1")
    assert re.search(r"Answer 1.*Answer 2", text_of(events, "end") + text_of(events, "ready"), re.S)
    before = len(listed(app.towers.home, app.services.app, ()))
    shown = visitor.post("/compare/vote", {"trial": trial, "row": "0", "place": "none"}).text
    assert texts_of("en")("compare.no_preference") in shown
    assert texts_of("en")("compare.side", letter="B") in shown
    assert len(listed(app.towers.home, app.services.app, ())) == before


def test_a_draft_is_saved_as_a_version_that_no_alias_points_to(
    registry: None, app: App, visitor: Visitor
) -> None:
    draft = {**fields(**DRAFT), "save": "1"}
    first = visitor.post("/compare/save", draft)
    assert first.headers["hx-trigger"] == "compare-saved"
    assert texts_of("en")("compare.saved", uri="prompts:/towers/1") in first.text
    assert "--set arms.candidate.prompt=prompts:/towers/1" in first.text
    second = visitor.post("/compare/save", draft).text
    assert texts_of("en")("compare.saved_before", uri="prompts:/towers/1") in second
    (version,) = everything(app.towers.home)["towers"]
    assert version.aliases == ()
    assert version.who == f"{app.services.app}/Anna"
    assert version.prompt.messages[0].content == "Be brief.\n{{passages}}"
    options = visitor.get("/compare/prompts").text
    assert 'value="prompts:/towers/1"' in options
    editor = visitor.get("/compare/draft?side=1&prompt=prompts:/towers/1").text
    assert "\nBe brief.\n{{passages}}</textarea>" in editor
    wrong = visitor.post("/compare/save", {**draft, "text-1-1": "Nothing"}).text
    assert texts_of("en")("compare.wrong_no_question") in wrong
    _, events = compared(visitor, **{"prompt-1": "prompts:/towers/1"})
    assert texts_of("en")("compare.version_of", prompt="towers", number=1) in text_of(events, "end")


def test_a_trial_is_a_trace_of_its_own_kind(app: App, visitor: Visitor) -> None:
    compared(visitor)
    row = next(each for each in newest(app) if each.status == COMPARED)
    assert (row.conversation, row.cost_usd > 0) == ("", True)


def newest(app: App) -> list[index.TraceRow]:
    deadline = time.monotonic() + 20
    while not (found := index.listed(app.towers.home, app.services.app)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    return found


def test_real_questions_are_tried_one_after_the_other(shelf: Workshop, tmp_path: Any) -> None:
    with application(copied(shelf, tmp_path)) as app:
        for question in (TALL, "When was the clock tower of London completed?", TALL):
            app.ask(question)
        deadline = time.monotonic() + 20
        home = app.towers.home
        while len(asked_lately(home, app.services.app, ())) < 2 and time.monotonic() < deadline:
            time.sleep(0.05)
        visitor = Visitor(app)
        visitor.sign_in("Anna")
        sides = {"model-0": "extractive", "model-1": "extractive", **DRAFT}
        trial, events = compared(visitor, question="", what="lately", **sides)
        rows = [each["html"] for each in events if each["kind"] == "row"]
        assert [TALL in each for each in rows] == [True, False]
        assert texts_of("en")("compare.over_done", n=2) in events[-1]["html"]
        assert texts_of("en")("compare.progress", at=2, of=2) in events[-2]["progress"]
        visitor.post("/compare/vote", {"trial": trial, "row": "0", "place": "0"})
        (pair,) = listed(home, app.services.app, ())
        source = next(each for each in asked_lately(home, app.services.app, ()))
        assert pair.trace_id == source.trace_id
        delete_trace(home, pair.trace_id)
        gone = visitor.post("/compare/vote", {"trial": trial, "row": "0", "place": "0"})
        assert gone.status_code == 409


def test_reviewers_compare_and_editors_write_drafts(keyed: App) -> None:
    roles = {}
    for role in ("viewer", "reviewer", "editor"):
        scopes = ["ask", "search", "feedback", *(["admin"] if role == "editor" else [])]
        roles[role] = Visitor(keyed)
        roles[role].sign_in(key=keyed.key(role, role=role, scopes=scopes))
    assert roles["viewer"].get("/compare").status_code == 403
    assert "/compare" not in roles["viewer"].get("/").text
    page = roles["reviewer"].get("/compare")
    assert page.status_code == 200
    assert "data-edit" not in page.text
    assert "data-edit" in roles["editor"].get("/compare").text
    own = {"model-1": "extractive"}
    draft = fields(**own, **DRAFT)
    assert roles["reviewer"].post("/compare/run", draft).status_code == 403
    assert roles["reviewer"].post("/compare/save", {**draft, "save": "1"}).status_code == 403
    assert roles["reviewer"].get("/compare/draft?side=0").status_code == 403
    folder = keyed.services.config.folder
    file = (folder / keyed.services.engine.prompt.current().uri).with_name("short.yaml")
    text = f"name: short\nmessages: [{{role: user, content: {json.dumps(QUESTIONED)}}}]\n"
    file.write_text(text)
    shown = roles["reviewer"].get("/compare/prompts").text
    (reference,) = re.findall(r'value="([^"]*short\.yaml)"', shown)
    trial, _ = compared(roles["reviewer"], **own, **{"prompt-1": reference})
    file.unlink()
    assert roles["editor"].get(f"/compare/events?trial={trial}").status_code == 404
    assert roles["editor"].post("/compare/run", draft).status_code == 200


def test_nobody_compares_without_signing_in_or_from_elsewhere(app: App, visitor: Visitor) -> None:
    assert Visitor(app).get("/compare").status_code == 303
    led = app.get("/compare/votes", app.key("web", role="editor"))
    assert led.url.path == "/sign-in"
    cross = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    assert visitor.post("/compare/run", fields(), **cross).status_code == 403


def test_stop_ends_what_is_paid_for_and_keeps_what_is_there(
    app: App, visitor: Visitor, models: Service
) -> None:
    models.latency = 30
    try:
        trial = trial_of(visitor.post("/compare/run", fields()))
        time.sleep(0.5)
        began = time.monotonic()
        assert visitor.post("/compare/stop", {"trial": trial}).status_code == 204
        events = told(visitor, trial)
        assert time.monotonic() - began < 20
    finally:
        models.latency = 0
    assert texts_of("en")("compare.over_stopped") in events[-1]["html"]
    assert "330 metres" in "".join(each.get("html", "") for each in events)


def test_a_trial_that_quotes_an_erased_document_is_gone(shelf: Workshop, tmp_path: Any) -> None:
    towers: Towers = copied(shelf, tmp_path)
    with application(towers) as app:
        visitor = Visitor(app)
        visitor.sign_in("Anna")
        trial, _ = compared(visitor, **{"model-1": "extractive"}, **DRAFT)
        erase(Handle(home=towers.home, name="towers"), "eiffel.txt")
        vote = {"trial": trial, "row": "0", "place": "0"}
        assert visitor.post("/compare/vote", vote).status_code == 404
        assert visitor.get(f"/compare/events?trial={trial}").status_code == 404
        assert "data-trial" not in visitor.get("/compare").text
        assert listed(towers.home, app.services.app, ()) == []
