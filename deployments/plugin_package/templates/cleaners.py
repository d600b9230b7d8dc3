"""Lines that nobody needs."""

from llmops.tasks.plugins.cleaners import Cleaner


class ExampleCleaner(Cleaner):
    """Leaves out every line that begins with one of `prefixes`."""

    prefixes: tuple[str, ...] = ("Confidential",)

    def clean(self, text: str) -> str:
        kept = [line for line in text.split("\n") if not line.startswith(self.prefixes)]
        return "\n".join(kept)
