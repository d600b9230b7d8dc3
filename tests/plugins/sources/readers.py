"""LlamaIndex readers as others write them, with every habit that the source `reader` has to live
with.
"""

from collections.abc import Iterable
from typing import Any

from llama_index.core.readers.base import BaseReader
from llama_index.core.schema import Document

RUNS: list[str] = []
"""One entry per run of a reader."""


class Lazy(BaseReader):
    """Gives `pages` (name -> text) one by one. `fails_after`: raises there. `ids`: `own` or
    `random`.
    """

    def __init__(
        self,
        pages: dict[str, Any],
        ids: str = "own",
        fails_after: int | None = None,
        api_key: str = "",
    ) -> None:
        if ids not in ("own", "random"):
            raise ValueError(f"ids must be own or random, got {ids} with {api_key}")
        self.pages, self.ids, self.fails_after, self.api_key = pages, ids, fails_after, api_key

    def lazy_load_data(self, *args: Any, **load: Any) -> Iterable[Document]:
        RUNS.append("lazy")
        for number, (name, text) in enumerate(self.pages.items()):
            if number == self.fails_after:
                raise ConnectionError(f"the service said no to {self.api_key}")
            for part in text if isinstance(text, list) else [text]:
                own = {"id_": name} if self.ids == "own" else {}
                yield Document(
                    text=part, metadata={"page": name, "length": len(part), **load}, **own
                )


class Shouting(BaseReader):
    """Reads one file, as `file_extractor` of SimpleDirectoryReader wants it."""

    def __init__(self, mark: str = "!") -> None:
        self.mark = mark

    def load_data(self, file: Any, extra_info: Any = None, **more: Any) -> list[Document]:
        return [Document(text=file.read_text().upper() + self.mark, metadata=extra_info or {})]


class Eager(BaseReader):
    """Gives a list, as most readers do."""

    def load_data(self, names: list[str]) -> list[Document]:
        RUNS.append("eager")
        return [
            Document(
                text=f"Text of {name}.",
                id_=name,
                metadata={"raw": b"\xff", "nested": {"x": (1, 2)}},
            )
            for name in names
        ]
