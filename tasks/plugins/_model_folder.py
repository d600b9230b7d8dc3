"""What training and serving know alike of a model's files: what tells them from others, whatever
the place, and at which tokens the model stops.
"""

import hashlib
import re
from functools import cache
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

WHOLE = 32 << 20
"""Files up to this size are read whole: configuration, tokenizer, chat template."""
PIECES, PIECE = 64, 64 << 10
"""Of weights so many pieces are read, spread over the file: training changes all of them."""
SUFFIXES = frozenset({".json", ".jinja", ".safetensors", ".gguf", ".model", ".txt", ".bin"})
"""Of what a model is made. A model card or a log does not change it."""


PART = re.compile(r"(?P<stem>.+)-\d{5}-of-(?P<count>\d{5})(?P<suffix>\.gguf)")
"""Of a model in several files, as llama.cpp splits and reads it."""


def contents_of(folder: Path) -> str:
    """A hash of the files that a reply depends on; of a name in the model hub the name itself."""
    if not folder.is_dir():
        return str(folder)
    files = [each for each in sorted(folder.iterdir()) if each.suffix in SUFFIXES]
    seen = [(each, each.stat()) for each in files if each.is_file()]
    marks = tuple((str(path), stat.st_size, stat.st_mtime_ns) for path, stat in seen)
    return _hashed(marks)


def contents_of_file(path: Path) -> str:
    """A hash of a model in one file, or in several of which `path` is one, whatever they are
    called; the path itself where there is no such file. The beginning counts in full: in a GGUF
    file it holds the chat template.
    """
    if not path.is_file():
        return str(path)
    part = PART.fullmatch(path.name)
    name = part and f"{escape(part['stem'])}-?????-of-{part['count']}{part['suffix']}"
    files = sorted(path.parent.glob(name)) if name else [path]
    seen = [(each, each.stat()) for each in files]
    return _file_hashed(tuple((str(each), stat.st_size, stat.st_mtime_ns) for each, stat in seen))


@cache
def _file_hashed(marks: tuple[tuple[str, int, int], ...]) -> str:
    found = hashlib.sha256()
    for name, size, _ in marks:
        found.update(f"{size}\x1f".encode())
        with Path(name).open("rb") as file:
            found.update(file.read(WHOLE))
            if size > WHOLE:
                _add_pieces(found, file, size)
    return found.hexdigest()


@cache
def _hashed(marks: tuple[tuple[str, int, int], ...]) -> str:
    """Read again only where a file has changed since."""
    found = hashlib.sha256()
    for name, size, _ in marks:
        path = Path(name)
        found.update(f"{path.name}/{size}\x1f".encode())
        with path.open("rb") as file:
            if size <= WHOLE:
                found.update(file.read())
                continue
            _add_pieces(found, file, size)
    return found.hexdigest()


def _add_pieces(found: "hashlib._Hash", file: BinaryIO, size: int) -> None:
    for number in range(PIECES):
        file.seek((size - PIECE) * number // (PIECES - 1))
        found.update(file.read(PIECE))


def ends_of(tokenizer: "PreTrainedTokenizerBase", model: "PreTrainedModel") -> frozenset[int]:
    """The tokens at which it stops: those of its generation config, and its tokenizer's."""
    said = getattr(model.generation_config, "eos_token_id", None)
    given = said if isinstance(said, list) else [said]
    return frozenset(int(each) for each in [*given, tokenizer.eos_token_id] if each is not None)
