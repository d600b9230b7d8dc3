"""The tab Review, without a browser: what it shows, to whom, and what it keeps."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from llmops.configs.serve import BuildSettings
from llmops.deployments.app.page.coming import coming
from llmops.deployments.app.page.workplace import Workplace
from llmops.tasks.audit.people import pseudonym
from llmops.tasks.ledger import open_ledger
from llmops.tasks.review import items
from llmops.tasks.review.items import NewItem, enqueue
from tests.chat.apps import TALL, copied
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.pages import Visitor
from tests.workshop import Workshop

EVIL = "<script>alert(1)</script><img src=x onerror=alert(2)>"


@pytest.fixture
def reviewed(shelf: Workshop, tmp_path: Path) -> Iterator[App]:
    with application(copied(shelf, tmp_path)) as found:
        yield found


def waiting(app: App, wanted: int = 1, question: str = TALL) -> str:
    trace = app.ask(question).json()["trace_id"]
    app.services.traces.enter(trace)
    enqueue(app.towers.home, "guide", "", [NewItem(trace, ("random",), 50)], wanted)
    return items.ask_a_person(app.towers.home, "guide", "", trace, "", EVIL)


def someone(app: App, name: str) -> Visitor:
    visitor = Visitor(app)
    visitor.sign_in(name)
    return visitor


def test_a_review_goes_from_the_queue_to_the_next(reviewed: App) -> None:
    item = waiting(reviewed)
    ann = someone(reviewed, "Ann")
    assert f"/review/{item}" in ann.get("/review").text
    assert ann.post("/review/next").headers["location"] == f"/review/{item}"
    shown = ann.get(f"/review/{item}").text
    uri = re.findall(r'name="relevant-1" value="([^"]+)"', shown)[0]
    kept = ann.post(
        f"/review/{item}/draft", {"correction": "330\r\nmetres", "relevant-1": uri, "comment": ""}
    )
    assert kept.json() == {"held": True}
    again = ann.get(f"/review/{item}").text
    assert "330\nmetres</textarea>" in again
    assert "checked" in again
    bob = someone(reviewed, "Bob")
    assert bob.post("/review/next").headers["location"] == "/review?nothing"
    assert bob.post(f"/review/{item}/draft", {"comment": "x"}).json() == {"held": False}
    said = {"verdict": "bad", "correction": "330", "relevant-1": uri, "seconds": "12"}
    assert ann.post(f"/review/{item}", said).headers["location"] == "/review?nothing"
    found = items.item(reviewed.towers.home, "guide", item)
    assert (found.state, found.reviews[0].relevant, found.reviews[0].seconds) == (
        "done",
        (uri,),
        12.0,
    )
    assert found.reviews[0].reviewer == pseudonym(open_ledger(reviewed.towers.home), "guide/Ann")


def test_a_dispute_is_shown_side_by_side_and_decided(reviewed: App) -> None:
    item = waiting(reviewed, wanted=2)
    ann, bob = someone(reviewed, "Ann"), someone(reviewed, "Bob")
    ann.post(f"/review/{item}", {"verdict": "good", "comment": "fine by me"})
    assert "fine by me" in someone(reviewed, "Eve").get(f"/review/{item}").text  # may adjudicate
    bob.post(f"/review/{item}", {"verdict": "bad", "comment": "not by me"})
    shown = ann.get(f"/review/{item}").text
    assert "fine by me" in shown
    assert "not by me" in shown
    assert 'name="adjudicates"' in shown
    ann.post(f"/review/{item}", {"verdict": "bad", "adjudicates": "1"})
    assert items.item(reviewed.towers.home, "guide", item).verdict == "bad"
    assert 'name="adjudicates"' not in ann.get(f"/review/{item}").text


def test_good_beside_a_better_answer_is_asked_about_before_it_is_kept(reviewed: App) -> None:
    home, ann = reviewed.towers.home, someone(reviewed, "Ann")
    item = waiting(reviewed)
    given = items.item(home, "guide", item)
    asked = ann.post(f"/review/{item}", {"verdict": "good", "correction": "330 m", "comment": "hm"})
    assert asked.status_code == 200
    assert "You wrote a better answer." in asked.text
    assert "330 m</textarea>" in asked.text
    assert "hm</textarea>" in asked.text
    assert items.item(home, "guide", item).reviews == given.reviews == ()
    ann.post(f"/review/{item}", {"verdict": "good_without", "correction": "330 m"})
    assert said(home, item) == ("good", "")
    ann.post(f"/review/{item}", {"verdict": "bad", "correction": "330 m"})
    assert said(home, item) == ("bad", "330 m")
    answer = reviewed.get(f"/v1/review/{item}").json()["answer"]
    ann.post(f"/review/{item}", {"verdict": "good", "correction": f"{answer}\r\n"})
    assert said(home, item) == ("good", "")


def said(home: Path, item: str) -> tuple[str, str]:
    (review,) = items.item(home, "guide", item).reviews
    return review.verdict, review.correction


def test_the_queue_says_how_answers_get_there_and_counts_no_agreement_with_oneself(
    reviewed: App,
) -> None:
    item, ann = waiting(reviewed), someone(reviewed, "Ann")
    ann.post(f"/review/{item}", {"verdict": "good"})
    shown = ann.get("/review").text
    assert '<code dir="ltr">llmops feedback feedback.yaml</code>' in shown
    assert "It has no schedule here" in shown
    assert "put to use by its next run" in shown
    assert "No answer has two reviews yet" in shown
    assert 'data-show="percent"' not in shown


def test_nothing_is_left_is_said_while_it_is_so(reviewed: App) -> None:
    item, ann = waiting(reviewed), someone(reviewed, "Ann")
    told = "Nothing is left for you to review"
    assert told not in ann.get("/review?nothing").text
    to = ann.post(f"/review/{item}", {"verdict": "good"}).headers["location"]
    assert told in ann.get(to).text
    waiting(reviewed, question="When was Big Ben completed?")
    assert told not in ann.get(to).text


def test_when_more_answers_come_is_what_the_project_s_schedules_say(tmp_path: Path) -> None:
    def of(app: str) -> tuple[str, bool]:
        found = coming(Workplace(tmp_path, tmp_path / "home", BuildSettings(), True), app)
        if found.at:
            assert (found.at.hour, found.at.minute) == (3, 0)
        return found.command, found.at is not None

    assert of("helpdesk") == ("llmops feedback feedback.yaml", False)
    (tmp_path / "back.yaml").write_text("flow: feedback\napp: helpdesk\n")
    assert of("helpdesk") == ("llmops feedback back.yaml", False)
    night = "flow: nightly\nname: n\nfeedback: [back.yaml]\n"
    daily = 'schedule: {cron: "0 3 * * *", timezone: UTC}\n'
    (tmp_path / "nightly.yaml").write_text(night + daily)
    assert of("helpdesk") == ("llmops feedback back.yaml", True)
    assert of("other") == ("llmops feedback feedback.yaml", False)
    (tmp_path / "back.yaml").write_text("flow: feedback\napp: helpdesk\ndays: -1\n")
    assert of("helpdesk") == ("llmops feedback feedback.yaml", False)


def test_what_is_skipped_comes_last(reviewed: App) -> None:
    first, second = waiting(reviewed), waiting(reviewed)
    ann = someone(reviewed, "Ann")
    assert ann.post("/review/next").headers["location"] == f"/review/{first}"
    assert ann.post(f"/review/{first}/skip").headers["location"] == f"/review/{second}"
    assert ann.post(f"/review/{second}/skip").headers["location"] == f"/review/{first}"


def test_markup_of_others_is_text_in_the_page_of_a_reviewer(reviewed: App) -> None:
    item = waiting(reviewed, question=f"{TALL} {EVIL}")
    ann = someone(reviewed, "Ann")
    ann.post(f"/review/{item}", {"verdict": "bad", "correction": EVIL, "comment": EVIL})
    for path in ("/review", f"/review/{item}", f"/review?text={EVIL}"):
        shown = ann.get(path).text
        assert "alert(1)" in shown
        assert EVIL not in shown
        assert "<img" not in shown


def test_the_page_holds_roles_and_labels(shelf: Workshop, tmp_path: Path) -> None:
    with application(copied(shelf, tmp_path), keys={"required": True}) as app:
        trace = app.ask(key=app.key("staff", labels=["staff"])).json()["trace_id"]
        app.services.traces.enter(trace)
        item = items.ask_a_person(app.towers.home, "guide", "", trace, "", "secret note")
        viewer, outside, inside = Visitor(app), Visitor(app), Visitor(app)
        viewer.sign_in(key=app.key("viewer"))
        scopes = {"scopes": ["ask", "feedback"], "role": "reviewer"}
        outside.sign_in(key=app.key("outside", **scopes))
        inside.sign_in(key=app.key("inside", labels=["staff"], **scopes))
        assert viewer.get("/review").status_code == 403
        assert "/review" not in viewer.get("/").text
        assert "secret note" not in outside.get("/review").text
        assert outside.get(f"/review/{item}").status_code == 404
        assert outside.post(f"/review/{item}", {"verdict": "good"}).status_code == 404
        assert outside.post("/review/next").headers["location"] == "/review?nothing"
        assert "secret note" in inside.get(f"/review/{item}").text
        ruling = {"verdict": "good", "adjudicates": "1"}
        assert inside.post(f"/review/{item}", ruling).status_code == 403


def test_the_queue_shows_questions_and_an_item_what_its_asker_wrote(reviewed: App) -> None:
    item = waiting(reviewed)
    trace = items.item(reviewed.towers.home, "guide", item).trace_id
    said = {"trace_id": trace, "rating": "down", "comment": f"no {EVIL}", "correction": "330 m"}
    assert reviewed.post("/v1/feedback", said).status_code == 200
    ann = someone(reviewed, "Ann")
    assert TALL not in ann.get("/review").text  # MLflow may take its time
    assert 'hx-get="/review/list?from=0"' in ann.get("/review").text
    assert TALL in ann.get("/review/list?from=0").text
    shown = ann.get(f"/review/{item}").text
    assert 'data-take="330 m"' in shown
    assert "no &lt;script&gt;alert(1)" in shown
    assert EVIL not in shown
    (told,) = reviewed.get(f"/v1/review/{item}").json()["feedback"]
    assert (told["rating"], told["correction"], told["asked"]) == ("down", "330 m", True)


def test_questions_of_answers_that_were_found_with_more_labels_are_not_shown(
    shelf: Workshop, tmp_path: Path
) -> None:
    towers = copied(shelf, tmp_path)
    with application(towers, retrieve={"k": 3, "labels": ["hr"]}) as app:
        item = waiting(app)
        assert TALL in someone(app, "Ann").get("/review/list").text
    with application(towers) as app:  # the application has lost the label since
        ann = someone(app, "Ann")
        listed = ann.get("/review/list").text
        assert item in listed
        assert TALL not in listed
        assert ann.get(f"/review/{item}").status_code == 404
        for kind in ("csv", "jsonl"):
            assert TALL not in app.get(f"/v1/review?format={kind}").text
