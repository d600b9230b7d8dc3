"""What the first search of a process needs beside the store, loaded while the store is opened: most
of that is unpacking and hashing, which leave the interpreter free.
"""

import threading
from contextlib import suppress

from llmops.tasks.knowledge.handle import Version
from llmops.tasks.retrieval.modes import Mode


def begin_loading(version: Version, mode: Mode) -> threading.Thread:
    """Load the embedder's model, and that of languages where the embedder reads only some, in a
    thread. What does not succeed there fails in the search, which says so.
    """

    def load() -> None:
        with suppress(Exception):  # the search meets it again
            _load(version)

    thread = threading.Thread(target=load, name="loading", daemon=True)
    if mode != "text":
        thread.start()
    return thread


def _load(version: Version) -> None:
    from llmops.tasks.plugins import Spec
    from llmops.tasks.plugins.embedders import Embedder

    embedder = Spec.model_validate(version.config["embed"]).build(Embedder)
    embedder.load()
    if embedder.languages:
        from llmops.tasks.texts.language import letter_sequences

        letter_sequences()
