"""A plugin of somebody else's: the README of their package says `clean: [shout]`."""

from llmops.tasks.plugins.cleaners import Cleaner


class Shout(Cleaner):
    """Capitals; `mark` ends every text."""

    mark: str = "!"

    def clean(self, text: str) -> str:
        return text.upper().rstrip(self.mark) + self.mark
