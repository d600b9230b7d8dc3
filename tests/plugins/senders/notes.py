"""A notice for tests of senders."""

from datetime import UTC, datetime, timedelta
from typing import Any

from llmops.tasks.plugins import Spec
from llmops.tasks.plugins.senders import Notice, Sender

AT = datetime(2026, 11, 30, 7, 15, tzinfo=UTC)


def notice(**fields: Any) -> Notice:
    given = {
        "id": "a1b2",
        "kind": "fired",
        "key": "flow-failed/index/handbook",
        "rule": "flow-failed",
        "subject": "index/handbook",
        "severity": "critical",
        "message": "the source does not answer <b>",
        "hint": "check `path`",
        "began_at": AT - timedelta(minutes=15),
        "at": AT,
        "project": "shop",
        "links": {"prefect": "http://127.0.0.1:4200/runs/1?a=1&b=2"},
        "thread": "a1b2",
    }
    return Notice.model_validate({**given, **fields})


def built(name: str, **options: Any) -> Sender:
    return Spec(name=name, options=options).build(Sender)
