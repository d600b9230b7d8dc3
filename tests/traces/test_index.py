"""What the ledger knows of traces: whose conversations there are, and how they began."""

from pathlib import Path

from llmops.tasks.traces import deletion, index
from llmops.tasks.traces.trace import COMPARED, Trace
from tests.traces.made import person, recorded

KEY = "abc123abc123"


def entered(home: Path, who: str, conversation: str, minute: int, **more: str) -> Trace:
    change = {"conversation": conversation, "began_ns": minute * 60 * 10**9, **more}
    trace = recorded(person=who).model_copy(update=change)
    index.enter(home, [trace])
    return trace


def test_conversations_are_somebody_s_own_the_latest_first(tmp_path: Path) -> None:
    ann, bo = person(tmp_path, "helpdesk/ann"), person(tmp_path, "helpdesk/bo")
    first = entered(tmp_path, ann, "old", 1)
    entered(tmp_path, ann, "new", 2)
    entered(tmp_path, ann, "old", 3)
    gone = entered(tmp_path, ann, "gone", 4)
    entered(tmp_path, bo, "theirs", 5)
    entered(tmp_path, ann, "", 6)
    entered(tmp_path, ann, "tried", 7, status=COMPARED)
    entered(tmp_path, ann, "elsewhere", 8, app="other")
    entered(tmp_path, ann, "other key", 9, key_id="f" * 12)
    deletion.forget(tmp_path, [gone.id], "deleted")
    rows = index.conversations(tmp_path, "helpdesk", ann, KEY, 10)
    assert [row.conversation for row in rows] == ["old", "new"]
    assert rows[0].first.id == first.id
    assert rows[0].last == index.moment(3 * 60 * 10**9)
    assert len(index.conversations(tmp_path, "helpdesk", ann, KEY, 1)) == 1
