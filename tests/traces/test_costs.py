"""The costs of traces against those of the ledger's calls."""

from pathlib import Path

from sqlalchemy import insert

from llmops.tasks.ledger import now, open_ledger
from llmops.tasks.ledger.tables import calls
from llmops.tasks.traces import index
from llmops.tasks.traces.costs import differences
from llmops.tasks.traces.trace import Trace
from tests.traces.made import recorded


def called(home: Path, trace: Trace, *costs: float) -> None:
    rows = [
        {
            "key": f"{trace.otel_id}{number}",
            "owner": trace.otel_id,
            "reply": "",
            "tokens": 1,
            "cost_usd": cost,
            "created_at": now(),
        }
        for number, cost in enumerate(costs)
    ]
    with open_ledger(home).write() as connection:
        connection.execute(insert(calls), rows)


def test_sums_are_the_same_or_named(tmp_path: Path) -> None:
    right, free, wrong = recorded(cost=0.0025), recorded(cost=0.0), recorded(cost=0.5)
    index.enter(tmp_path, [right, free, wrong, recorded(app="other", cost=9.0)])
    called(tmp_path, right, 0.002, 0.0005)
    called(tmp_path, wrong, 0.25)
    check = differences(tmp_path, "helpdesk")
    assert (check.traces, round(check.traces_usd, 6), round(check.calls_usd, 6)) == (
        3,
        0.5025,
        0.2525,
    )
    assert [each.trace_id for each in check.differences] == [wrong.id]
    assert not check.ok
    assert differences(tmp_path, "helpdesk", since=now()).ok
