"""Corrections whose support leaves the documents: they are put to people again, and given to nobody
until then.
"""

from pathlib import Path

import pytest

from llmops.tasks.audit.people import pseudonym
from llmops.tasks.chat import curated
from llmops.tasks.datasets.project import project
from llmops.tasks.ledger import open_ledger
from llmops.tasks.maintenance.versions import rollback
from llmops.tasks.review.items import item
from llmops.tasks.review.leases import claim
from llmops.tasks.review.reviewing import Review, submit
from tests.datasets.made import APP, PASSAGE, answered, review, say
from tests.datasets.test_project import BETTER, rows, spec
from tests.laboratory import Laboratory

pytestmark = pytest.mark.slow
OTHER = "Nobody asks for this."
NEWER = "Passwords are set by the desk, in person."


class Handbook(Laboratory):
    kb = "handbook"

    def roll_back(self, to: int) -> None:
        rollback(self.handle, to)


@pytest.fixture
def handbook(tmp_path: Path, lab: Laboratory) -> Handbook:
    """A base that has the passage in a file of its own."""
    made = Handbook(tmp_path / "handbook")
    made.write("accounts.md", PASSAGE)
    made.write("other.md", OTHER)
    made.build()
    return made


def given(home: Path) -> list[str]:
    return [each.answer for each in curated.listed(home, APP)]


def test_a_correction_is_asked_again_when_its_sentence_has_left_the_document(
    handbook: Handbook,
) -> None:
    home, wanted = handbook.home, spec(handbook.folder)
    trace = answered(home)
    review(home, trace.id, "ann", "bad", BETTER)
    assert project(home, wanted).outdated == 0
    assert given(home) == [BETTER]
    handbook.write("accounts.md", f"{PASSAGE} And one more sentence.")
    handbook.build()
    assert project(home, wanted).outdated == 0  # another edit is no reason
    handbook.write("accounts.md", NEWER)
    handbook.build()
    again = project(home, wanted)
    assert (again.outdated, again.settled) == (1, {})
    assert given(home) == []
    assert rows(handbook.folder, "cases") == []
    who = pseudonym(open_ledger(home), "ann")
    found = claim(home, APP, APP, who)
    assert found is not None
    assert found.trace_id == trace.id
    assert "outdated" in found.reasons
    assert "accounts.md no longer says: " in found.note
    assert BETTER in found.note
    assert project(home, wanted).outdated == 0  # once is enough
    submit(home, APP, found.id, who, Review("bad", NEWER))
    assert project(home, wanted).outdated == 0
    assert given(home) == [NEWER]


def test_feedback_of_before_counts_no_more_and_that_of_after_does(handbook: Handbook) -> None:
    home, wanted = handbook.home, spec(handbook.folder)
    trace = answered(home)
    say(home, trace.id, "down", BETTER, person="p1")
    project(home, wanted)
    assert given(home) == [BETTER]
    (handbook.documents / "accounts.md").unlink()
    handbook.build(allow_deletes=True)
    assert project(home, wanted).outdated == 1
    assert given(home) == []
    who = pseudonym(open_ledger(home), "ann")
    found = claim(home, APP, APP, who)
    assert found is not None
    assert "accounts.md is not in the knowledge base any more" in found.note
    say(home, trace.id, "down", NEWER, person="p1")
    assert project(home, wanted).outdated == 0
    assert given(home) == [NEWER]
    assert item(home, APP, found.id).state == "open"


def test_a_version_that_is_live_again_is_news_though_it_was_published_before(
    handbook: Handbook,
) -> None:
    home, wanted = handbook.home, spec(handbook.folder)
    trace = answered(home)
    review(home, trace.id, "ann", "bad", BETTER)
    handbook.write("accounts.md", NEWER)
    handbook.build()
    assert project(home, wanted).outdated == 1
    handbook.roll_back(1)
    who = pseudonym(open_ledger(home), "ann")
    found = claim(home, APP, APP, who)
    assert found is not None
    submit(home, APP, found.id, who, Review("bad", BETTER))
    assert project(home, wanted).outdated == 0
    assert given(home) == [BETTER]
    handbook.roll_back(2)
    assert project(home, wanted).outdated == 1
    assert given(home) == []
    assert project(home, wanted).outdated == 0  # once is enough
    handbook.write("other.md", f"{OTHER} Indeed.")
    handbook.build()
    assert project(home, wanted).outdated == 0


def test_who_does_not_want_it_is_not_asked(handbook: Handbook) -> None:
    home, wanted = handbook.home, spec(handbook.folder, outdated=False)
    say(home, answered(home).id, "down", BETTER)
    handbook.write("accounts.md", NEWER)
    handbook.build()
    assert project(home, wanted).outdated == 0
    assert given(home) == [BETTER]
