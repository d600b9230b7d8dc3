"""Somebody who asks on the page, without a browser."""

import json
import re
import time
from typing import Any

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
        """Wait until the ledger knows it, and the page has nothing but the trace to go by."""
        deadline = time.monotonic() + 20
        while app.services.traces.state().spooled == 0 and time.monotonic() < deadline:
            time.sleep(0.05)
        running(app)._held.pop(trace, None)


def running(app: App) -> Any:
    return app.client.app.state.running  # type: ignore[attr-defined]
