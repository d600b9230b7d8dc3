"""A knowledge base, our chunkers and our embedders in other frameworks. Each module needs its
framework, which an extra installs, and says so where it is missing.

Names are the same in each: `KnowledgeBaseRetriever`, `Chunker`, `Embedding` (in Haystack the two
that it wants, `TextEmbedder` and `DocumentEmbedder`).
"""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def needing(framework: str, packages: str, extra: str) -> Iterator[None]:
    """Around imports of a framework. Raises ModuleNotFoundError with the command that installs it
    where one of its packages (by the beginning of their names) is missing.
    """
    try:
        yield
    except ModuleNotFoundError as error:
        missing = (error.name or "").partition(".")[0]
        if not missing.startswith(packages):
            raise
        raise ModuleNotFoundError(
            f"{framework} is not installed ({missing} is missing); install it: "
            f"pip install 'llmops-pipelines[{extra}]'",
            name=error.name,
        ) from error
