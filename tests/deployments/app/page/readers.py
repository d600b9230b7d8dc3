"""Somebody who asks on the page, without a browser."""

import json
import re
import time
from pathlib import Path
from typing import Any

from sqlalchemy import select

from llmops.tasks.ledger import existing_ledger
from llmops.tasks.ledger.application import traces
from llmops.tasks.traces.spool import FOLDER
from tests.chat.apps import TALL
from tests.deployments.app.apps import App
from tests.deployments.app.page.pages import Visitor

TRACE = re.compile(r'id="turn-(tr-[0-9a-f]{32})"')
HOSTILE = '<script>window.pwned=1</script><img src=x onerror="window.pwned=1">'


class Reader(Visitor):
    """Somebody who asks."""

    def ask(self, question: str = TALL, **fields: str) -> tuple[str, str]:
        """The ids of the answer and of its conversation."""
        shown = self.post("/ask/questions", {"question": question, **fields}, hx_request="true")
        assert shown.status_code == 200, shown.text
        (trace,) = TRACE.findall(shown.text)
        conversation = re.search(r'name="conversation"[^>]*value="([^"]+)"', shown.text)
        assert conversation is not None
        return trace, conversation[1]

    def answered(self, question: str = TALL, **fields: str) -> tuple[str, str, str]:
        """The same, and the answer as it is shown in the end."""
        trace, conversation = self.ask(question, **fields)
        return trace, conversation, self.ending(trace)

    def ending(self, trace: str) -> str:
        events = self.get(f"/ask/turns/{trace}/events").text
        last = [part for part in events.split("\n\n") if part.startswith("event: done")]
        return str(json.loads(last[0].partition("data: ")[2])["html"])

    def stored(self, app: App, trace: str) -> None:
        """Wait until spool or MLflow have it; then the page has nothing but the trace to go by."""
        home, deadline = app.towers.home, time.monotonic() + 20
        while time.monotonic() < deadline:
            if any((home / FOLDER).glob(f"*/*-{trace}.json")) or _in_mlflow(home, trace):
                break
            time.sleep(0.05)
        running(app)._held.pop(trace, None)


def _in_mlflow(home: Path, trace: str) -> bool:
    with existing_ledger(home).read() as connection:
        query = select(traces.c.stored_at).where(traces.c.id == trace)
        return connection.scalar(query) is not None


def running(app: App) -> Any:
    return app.client.app.state.running  # type: ignore[attr-defined]
