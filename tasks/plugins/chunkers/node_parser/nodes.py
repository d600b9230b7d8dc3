"""LlamaIndex's node parsers: finding, checking and building them, and where in the text their nodes
lie.
"""

import inspect
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib import import_module
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins.chunkers import Tokenizer

if TYPE_CHECKING:
    from llama_index.core.node_parser import NodeParser

HOME = "llama_index.core.node_parser"
SURROGATES = re.compile("[\ud800-\udfff]")
INTERNAL = {"callback_manager", "id_func", "kwargs", "self"}


@cache
def parser_class(path: str) -> type[Any]:
    """The class behind `package.module.Class`, or behind `Class` in llama_index.core.node_parser.
    Raises ValueError.
    """
    from llama_index.core.node_parser import NodeParser

    module, _, name = path.rpartition(".")
    try:
        found = getattr(import_module(module or HOME), name, None)
    except (ImportError, ValueError) as error:
        raise ValueError(f"the module {module} cannot be imported: {error}") from error
    if not (isinstance(found, type) and issubclass(found, NodeParser)):
        known = sorted(
            one
            for one, kind in vars(import_module(HOME)).items()
            if isinstance(kind, type) and issubclass(kind, NodeParser)
        )
        said = (
            f"{path} is no node parser; allowed: an import path such as my.package.MyParser, "
            f"or {', '.join(known)}"
        )
        raise ValueError(said)  # noqa: TRY004 - what pydantic turns into a mistake
    return found


def makers(kind: type[Any]) -> list[tuple[Callable[..., Any], set[str]]]:
    """The ways to make a parser, the preferred one first, and the options of each."""
    plain = (kind, {*inspect.signature(kind.__init__).parameters, *kind.model_fields} - INTERNAL)
    made = getattr(kind, "from_defaults", None)
    return [(made, {*inspect.signature(made).parameters} - INTERNAL), plain] if made else [plain]


def build(
    kind: type[Any],
    options: Mapping[str, Any],
    size: int,
    overlap: int,
    tokenizer: Tokenizer | None,
) -> "NodeParser":
    """The parser; `size`, `overlap` and the tokenizer go to those that take them. Raises ValueError
    for wrong options.
    """
    allowed: set[str] = set().union(*(names for _, names in makers(kind)))
    make, taken = next((one for one in makers(kind) if options.keys() <= one[1]), makers(kind)[-1])
    unknown = sorted(options.keys() - allowed)
    if unknown:
        raise ValueError(
            f"{kind.__name__} has no option {', '.join(unknown)}; allowed: "
            f"{', '.join(sorted(allowed))}"
        )
    given: dict[str, Any] = {"chunk_size": size, "chunk_overlap": overlap}
    given |= {"tokenizer": tokenizer.token_offsets} if tokenizer else {}
    try:
        parser: NodeParser = make(
            **{name: value for name, value in given.items() if name in taken} | dict(options)
        )
        return parser
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise ValueError(f"{kind.__name__}: {said}") from error
    except (TypeError, ImportError) as error:
        raise ValueError(f"{kind.__name__}: {error}") from error


def pieces(parser: "NodeParser", text: str) -> list[str]:
    """The texts of the nodes in order; of a hierarchy its leaves."""
    from llama_index.core.schema import Document, NodeRelationship

    _ready_sentences()
    nodes = parser.get_nodes_from_documents([Document(text=SURROGATES.sub("\ufffd", text))])
    return [
        node.get_content() for node in nodes if NodeRelationship.CHILD not in node.relationships
    ]


def _ready_sentences() -> None:
    """Where packages are hard links (uv), nltk refuses a word list that the sentence tokenizer does
    not need: the first look fails after the tokenizer is made, every further one succeeds."""
    from llama_index.core.utils import globals_helper

    try:
        _ = globals_helper.punkt_tokenizer
    except PermissionError:
        _ = globals_helper.punkt_tokenizer


def located(text: str, parts: Sequence[str]) -> Iterator[tuple[int, int]]:
    """Where the parts lie, in order and without those inside of others: each as far on as leaves
    nothing out, for the offsets that LlamaIndex gives are those of the first equal text. White
    space may differ.

    Raises DocumentError for a part that is not in the text.
    """
    known = SURROGATES.sub("\ufffd", text)
    start, end = -1, 0
    for part in parts:
        if not part.strip():
            continue
        found = _find(known, part.strip(), start + 1, _next_filled(known, end))
        if found is None:
            raise DocumentError(
                f"the node parser gave a text that is not in the document: {part.strip()[:80]!r}"
            )
        if found[1] > end:
            start, end = found
            yield found


def _next_filled(text: str, offset: int) -> int:
    match = re.compile(r"\S").search(text, offset)
    return match.start() if match else len(text)


def _find(text: str, part: str, least: int, most: int) -> tuple[int, int] | None:
    """The last place from `least` to `most`, else the next one, else with other white space, else
    anywhere before.
    """
    for start in (text.rfind(part, least, most + len(part)), text.find(part, least)):
        if start >= 0:
            return start, start + len(part)
    match = re.compile(r"\s+".join(map(re.escape, part.split()))).search(text, least)
    if match:
        return match.span()
    start = text.find(part)
    return (start, start + len(part)) if start >= 0 else None
