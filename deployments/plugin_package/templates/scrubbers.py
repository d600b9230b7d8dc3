"""Numbers of tickets, which name a customer."""

import re

from llmops.tasks.plugins.cleaners.pii.patterns import EntitySpan
from llmops.tasks.plugins.scrubbers import Scrubber


class ExampleScrubber(Scrubber):
    """Finds `prefix`, a hyphen and digits, such as TICKET-123."""

    prefix: str = "TICKET"

    def places(self, text: str) -> list[EntitySpan]:
        pattern = rf"\b{re.escape(self.prefix)}-\d+\b"
        return [EntitySpan(*match.span(), "ticket") for match in re.finditer(pattern, text)]
