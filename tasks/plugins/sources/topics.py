"""The Python language's own help topics: real text on every machine, without a network."""

from collections.abc import Mapping
from pathlib import Path

from pydantic import Field

from llmops.tasks.errors import DocumentError, UsageError
from llmops.tasks.plugins.sources import Item, Problem, Raw, Report, Source, content_hash_of
from llmops.tasks.schemas import sha256


class TopicsSource(Source):
    """What `help("topics")` of this Python knows. `only` names the topics to take; empty means all
    of them.

    `edits` is a folder: a file in it that is named like a topic stands for that topic, so that one
    can be edited.
    """

    only: list[str] = Field(default_factory=list)
    edits: Path | None = None

    def at(self, folder: Path) -> "TopicsSource":
        return (
            self if self.edits is None else self.model_copy(update={"edits": folder / self.edits})
        )

    def check(self) -> None:
        """Raise UsageError for a topic that this Python does not have."""
        unknown = sorted(set(self.only) - set(self._texts()))
        if unknown:
            raise UsageError(
                f"unknown topics: {', '.join(unknown)}",
                where="sources: topics: only",
                hint="python -c 'help(\"topics\")' lists them",
            )

    def scan(self, report: Report) -> str:
        """Report every topic; one that is named but unknown is a problem."""
        texts = self._texts()
        for name in self.only or sorted(texts):
            if name in texts:
                report(
                    Item(
                        uri=name, revision=sha256(texts[name])[:16], size=len(texts[name].encode())
                    )
                )
            else:
                report(Problem(uri=name, reason="this Python has no help topic of that name"))
        return ""

    def read(self, item: Item) -> Raw:
        """The text of a topic; the topic is its title. Raises DocumentError for an unknown one."""
        texts = self._texts()
        if item.uri not in texts:
            raise DocumentError("this Python has no help topic of that name")
        return Raw(data=texts[item.uri].encode(), media_type="text/plain", title=item.uri)

    def content_hash(self, item: Item) -> str | None:
        return content_hash_of(self.read(item)) if item.uri in self._texts() else None

    def _texts(self) -> Mapping[str, str]:
        from pydoc_data.topics import topics

        files = self.edits.iterdir() if self.edits and self.edits.is_dir() else ()
        edited = {file.name: file.read_text(encoding="utf-8") for file in files}
        return {**topics, **{name: text for name, text in edited.items() if name in topics}}
