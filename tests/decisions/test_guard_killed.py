"""A promotion is killed, with no chance to clean up, at every step: the next try completes it, and
nothing is told twice.
"""

import signal
from pathlib import Path

import pytest
from sqlalchemy import func, select

from llmops.tasks.decisions import promotion
from llmops.tasks.ledger import open_ledger
from llmops.tasks.ledger.tables import moves
from tests import forks
from tests.decisions.guarded import arena, champion, resolved
from tests.shelf import decided

MOVER = """
import json, sys
from pathlib import Path
from llmops.tasks.decisions import promotion
from tests.killer import arm
arm(sys.argv[3], sys.argv[4], 1)
promotion.promote(Path(sys.argv[1]), json.loads(Path(sys.argv[2]).read_text()), "helpdesk")
"""


@pytest.mark.slow
@pytest.mark.parametrize(
    ("place", "when", "points_to"),
    [
        ("llmops.tasks.tracking.prompts:Registry.point", "before", 1),
        ("llmops.tasks.tracking.prompts:Registry.point", "after", 2),
        ("llmops.tasks.tracking.prompts:Registry.note", "after", 2),
        ("llmops.tasks.decisions.promotion:remember", "after", 2),
    ],
)
def test_a_promotion_that_was_killed_is_completed(
    tmp_path: Path, place: str, when: str, points_to: int
) -> None:
    home = arena(tmp_path)
    record = decided(home, resolved(home, 1), resolved(home, 2))
    ended = forks.run("-c", MOVER, home, record["record"], place, when)
    assert ended.returncode == -signal.SIGKILL, ended.stderr
    assert champion(home) == points_to
    assert promotion.promote(home, record, "helpdesk").version == 2
    told = promotion.history(home, "helpdesk")["moves"]
    assert [(one["kind"], one["from"], one["to"], one["decision"]) for one in told] == [
        ("first", None, 1, None),
        ("promote", 1, 2, record["id"]),
    ]
    with open_ledger(home).read() as connection:
        assert connection.execute(select(func.count()).select_from(moves)).scalar_one() == 2
    assert promotion.rollback(home, "helpdesk").version == 1
