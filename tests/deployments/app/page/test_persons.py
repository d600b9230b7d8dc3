"""What people say of answers on the page, and what of it comes back to whoever asked."""

import re

from sqlalchemy import select

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.chat import curated
from llmops.tasks.chat.curated import NewCurated
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.application import feedback
from llmops.tasks.review.finding import find
from llmops.tasks.review.reviewing import Review, Said, submit
from llmops.tasks.traces.deletion import delete_person
from tests.chat.apps import TALL, Towers
from tests.deployments.app.apps import App, application
from tests.deployments.app.page.readers import HOSTILE, Reader


def decided(app: App, trace: str, verdict: Said, correction: str = "") -> None:
    home = app.towers.home
    (item,) = [each for each in find(home, "guide").items if each.trace_id == trace]
    submit(
        home,
        "guide",
        item.id,
        pseudonym(open_ledger(home), "guide/rev"),
        Review(verdict, correction),
    )


def test_what_a_person_answered_comes_back_to_whoever_asked(towers: Towers) -> None:
    with application(towers) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, conversation, _ = reader.answered()
        turns, form = f"/ask/c/{conversation}/turns", f"/ask/turns/{trace}/person"
        assert form in reader.get(turns).text
        assert "A person will look at this." in reader.post(form, {"note": "Is it?"}).text
        reader.stored(app, trace)
        waits = reader.get(turns).text
        assert "A person will look at this." in waits
        assert form not in waits
        assert "A person has answered" not in reader.get("/ask/list").text
        decided(app, trace, "bad", f"It is **330** m. {HOSTILE}")
        told = reader.get(turns).text
        assert "A person has answered:" in told
        assert "<strong>330</strong>" in told
        assert "<script>" not in told
        assert form not in told
        assert "A person has answered" in reader.get("/ask/list").text
        decided(app, trace, "good")
        assert "found the answer good" in reader.get(turns).text
        decided(app, trace, "bad", "330 m, they say")
        delete_person(towers.home, "guide/rev")
        erased = reader.get(turns).text
        assert "330 m, they say" not in erased
        assert "found the answer wrong" in erased
        assert reader.post(f"/ask/c/{conversation}/delete", {"conversation": ""}).status_code == 204
        assert "A person has answered" not in reader.get("/ask/list").text


def test_a_person_s_answer_closes_with_the_labels_of_the_passages(towers: Towers) -> None:
    with application(towers, retrieve={"k": 3, "labels": ["hr"]}) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, _, _ = reader.answered()
        reader.stored(app, trace)
        reader.post(f"/ask/turns/{trace}/person", {"note": ""})
        decided(app, trace, "bad", "330 m, they say")
        assert "330 m, they say" in reader.get(f"/ask/turns/{trace}").text
    with application(towers) as app:  # the application has lost the label since
        reader = Reader(app)
        reader.sign_in()
        shown = reader.get(f"/ask/turns/{trace}").text
        assert "found the answer wrong" in shown
        assert "330 m, they say" not in shown


def test_good_beside_a_better_answer_is_asked_about_before_it_is_kept(app: App) -> None:
    reader = Reader(app)
    reader.sign_in()
    trace, _, _ = reader.answered("What does the Great Bell of London weigh?")
    path = f"/ask/turns/{trace}/feedback"

    def kept() -> tuple[str, str] | None:
        with open_ledger(app.towers.home).read() as connection:
            row = connection.execute(select(feedback).where(feedback.c.trace_id == trace)).first()
        return (row.rating, row.correction) if row else None

    asked = reader.post(path, {"rating": "up", "comment": "", "correction": "13 t."}).text
    assert "You wrote a better answer." in asked
    assert "13 t.</textarea>" in asked
    assert kept() is None
    reader.post(path, {"rating": "up_without", "correction": "13 t."})
    assert kept() == ("up", "")
    reader.post(path, {"rating": "down", "correction": "13 t."})
    assert kept() == ("down", "13 t.")


def test_an_answer_of_a_person_says_so_and_when(towers: Towers) -> None:
    new = NewCurated(question=TALL, answer="The Eiffel Tower is 330 metres tall [1].")
    curated.add(towers.home, "guide", new)
    with application(towers) as app:
        reader = Reader(app)
        reader.sign_in()
        trace, _, shown = reader.answered()
        reader.stored(app, trace)
        for each in (shown, reader.get(f"/ask/turns/{trace}").text):
            assert re.search("Answer written by a person, reviewed\\s+<time", each)
            assert "Passages that support it:" in each
            assert "eiffel" in each
            assert 'class="cite"' not in each
        assert app.ask().json()["cached"] == "curated"
