"""Any node parser of LlamaIndex."""

import inspect
import logging
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

from pydantic import Field, ValidationError, model_validator

from llmops.tasks.errors import DocumentError
from llmops.tasks.plugins._foreign import (
    checked_objects,
    lacking,
    with_objects,
    without_secrets,
)
from llmops.tasks.plugins.chunkers import Chunker, Span, Tokenizer
from llmops.tasks.plugins.chunkers._cutting import Whole
from llmops.tasks.plugins.chunkers._cutting.letters import size_of
from llmops.tasks.plugins.chunkers.sentence import SentenceChunker

if TYPE_CHECKING:
    from llama_index.core.node_parser import NodeParser


LOG = logging.getLogger(__name__)
HOME = "llama_index.core.node_parser"
SURROGATES = re.compile("[\ud800-\udfff]")
INTERNAL = {"callback_manager", "id_func", "kwargs", "self"}


class NodeParserChunker(Chunker):
    """`parser`: a class of llama_index.core.node_parser, or an import path; `options` are its own.

    `size`, `overlap` and the embedder's tokenizer are handed to parsers that take them. What a
    parser makes longer than `size` all the same is cut further (`too_long: split`, with a warning
    in the log) or refused; what it leaves out becomes chunks as `sentence` makes them, so that
    nothing is lost. Of a hierarchy the leaves are kept. A parser that changes the text (HTML, JSON)
    is refused per document, since its chunks are not in it. Context: the title. An object among the
    options, such as an `embed_model`, is written `{path: package.module.Class, options: {…}}`, and
    made once.
    """

    requires: ClassVar[Mapping[str, str]] = {
        "llama_index": "pip install 'llmops-pipelines[llamaindex]'"
    }
    parser: str = Field(min_length=1)
    options: dict[str, Any] = Field(default_factory=dict)
    too_long: Literal["split", "refuse"] = "split"

    @model_validator(mode="after")
    def _can_be_built(self) -> Self:
        kind = parser_class(self.parser)
        if why := lacking(kind):
            raise ValueError(why)
        if checked_objects(self.options):  # which may be models that are loaded when they are made
            _known(kind, self.options)
        else:
            build(kind, self.options, self.size, min(self.overlap, self.size // 2), None)
        return self

    def fingerprint(self) -> str:
        """Options but for the keys of objects among them."""
        plain = self.model_copy(update={"options": without_secrets(self.options)})
        return super(NodeParserChunker, plain).fingerprint()

    def split(
        self, text: str, *, markup: str, title: str | None, tokenizer: Tokenizer, uri: str = ""
    ) -> Sequence[Span]:
        """Spans in order. Empty for a blank text. Raises DocumentError for chunks that are not in
        the text, or too long.
        """
        del uri
        if not text.strip():
            return []
        size = min(self.size, tokenizer.max_tokens)
        parser = build(
            parser_class(self.parser), self.options, size, min(self.overlap, size // 2), tokenizer
        )
        whole = Whole(text, markup, (title or "").strip(), tokenizer)
        rest = SentenceChunker(size=size, overlap=0)
        spans: list[Span] = []
        end = 0
        for place in located(text, pieces(parser, text)):
            spans += whole.cut(rest, end, place[0])
            spans += self._within(whole, rest, place)
            end = place[1]
        return [*spans, *whole.cut(rest, end, len(text))]

    def _within(
        self, whole: Whole, rest: SentenceChunker, place: tuple[int, int]
    ) -> Iterator[Span]:
        """A node as one span, as several where it is too long."""
        start, end = place
        size = len(size_of(whole.text[start:end], whole.tokenizer))
        tokens = len(whole.tokenizer.token_offsets(whole.text[start:end]))
        if max(size, tokens) <= rest.size:
            yield whole.placed(rest, start, end, tokens)
            return
        if size > rest.size:
            self._say_too_long(size, rest.size)
        yield from whole.cut(rest, start, end)

    def _say_too_long(self, size: int, most: int) -> None:
        if self.too_long == "refuse":
            raise DocumentError(f"{self.parser} made a chunk of {size} tokens, {most} are allowed")
        LOG.warning("%s made a chunk of %d tokens, which was cut at %d", self.parser, size, most)


@cache
def parser_class(path: str) -> type[Any]:
    """The class behind `package.module.Class`, or behind `Class` in llama_index.core.node_parser.
    Raises ValueError.
    """
    from llama_index.core.node_parser import NodeParser

    module, _, name = path.rpartition(".")
    try:
        parser = getattr(import_module(module or HOME), name, None)
    except (ImportError, ValueError) as error:
        raise ValueError(f"the module {module} cannot be imported: {error}") from error
    if not (isinstance(parser, type) and issubclass(parser, NodeParser)):
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
    return parser


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
    _known(kind, options)
    make, taken = next((one for one in makers(kind) if options.keys() <= one[1]), makers(kind)[-1])
    given: dict[str, Any] = {"chunk_size": size, "chunk_overlap": overlap}
    given |= {"tokenizer": partial(size_of, tokenizer=tokenizer)} if tokenizer else {}
    try:
        parser: NodeParser = make(
            **{name: value for name, value in given.items() if name in taken}
            | with_objects(options)
        )
        return parser
    except ValidationError as error:
        said = "; ".join(
            f"{'.'.join(map(str, one['loc']))}: {one['msg']}"
            for one in error.errors(include_url=False)
        )
        raise ValueError(f"{kind.__name__}: {said}") from error
    except (TypeError, ImportError) as error:
        with_which = f" (with the options {', '.join(options)})" if options else ""
        raise ValueError(f"{kind.__name__}: {error}{with_which}") from error


def _known(kind: type[Any], options: Mapping[str, Any]) -> None:
    allowed: set[str] = set().union(*(names for _, names in makers(kind)))
    if unknown := sorted(options.keys() - allowed):
        raise ValueError(
            f"{kind.__name__} has no option {', '.join(unknown)}; allowed: "
            f"{', '.join(sorted(allowed))}"
        )


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
        filled = re.compile(r"\S").search(known, end)
        after = filled.start() if filled else len(known)
        place = _find(known, part.strip(), start + 1, after)
        if place is None:
            raise DocumentError(
                f"the node parser gave a text that is not in the document: {part.strip()[:80]!r}"
            )
        if place[1] > end:
            start, end = place
            yield place


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
