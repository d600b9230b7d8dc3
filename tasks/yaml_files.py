"""Strict YAML 1.2 in the files of people: a key stands once, and each complaint says where."""

import re
from collections.abc import Callable, Hashable
from difflib import get_close_matches
from io import StringIO
from pathlib import Path

from ruamel.yaml import YAML
from ruamel.yaml.constructor import ConstructorError, SafeConstructor
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.nodes import Node, ScalarNode
from ruamel.yaml.representer import SafeRepresenter
from ruamel.yaml.scanner import Scanner
from ruamel.yaml.tokens import Token

from llmops.tasks.errors import ConfigError, Mistake

WIDTH = 140
DEEPEST = 500
MOST_BYTES = 10_000_000
SHOWN = 5
"""Files that are named in place of one that is missing."""
LOST = re.compile(
    "[^\t\n\x20-\x7e\xa0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]"
)
"""What a block would not give back: control characters, and other ends of lines than \\n."""


class NoYaml(ValueError):
    """A text is no YAML: the message says why, with line and column from 1 where they are known."""


class _Scanner(Scanner):
    """Gives up on deep nesting early: its work grows with the square of the open brackets."""

    def fetch_flow_collection_start(self, TokenClass: type[Token], to_push: str) -> None:
        if self.flow_level == DEEPEST:
            raise RecursionError
        super().fetch_flow_collection_start(TokenClass, to_push)


class _Constructor(SafeConstructor):
    """A key may stand only once: of two, one would silently not count."""

    def check_mapping_key(
        self,
        node: Node,
        key_node: Node,
        mapping: dict[Hashable, object],
        key: Hashable,
        value: object,
    ) -> bool:
        del node, value
        if isinstance(key, tuple):
            raise ConstructorError(None, None, "found unhashable key", key_node.start_mark)
        if key in mapping:
            raise ConstructorError(
                None, None, f"the key {key!r} stands here twice", key_node.start_mark
            )
        return True


class _LastCounts(SafeConstructor):
    def check_mapping_key(
        self,
        node: Node,
        key_node: Node,
        mapping: dict[Hashable, object],
        key: Hashable,
        value: object,
    ) -> bool:
        del node, key_node, value
        mapping.pop(key, None)
        return True


class _Representer(SafeRepresenter):
    """Texts of several lines stand as blocks; where YAML cannot keep one exactly so, in quotes."""

    def ignore_aliases(self, data: object) -> bool:
        del data
        return True

    def represent_str(self, data: str) -> ScalarNode:
        block = "|" if "\n" in data.strip("\n") else None
        style = '"' if LOST.search(data) else block
        return self.represent_scalar("tag:yaml.org,2002:str", data, style)


_Representer.add_representer(str, _Representer.represent_str)


def read_yaml(text: str) -> object:
    """What a text says: plain Python values. Raises NoYaml."""
    yaml = YAML(typ="safe", pure=True)  # its parser in C leaves the culprit out of its complaints
    yaml.Scanner, yaml.Constructor = _Scanner, _Constructor
    try:
        return yaml.load(text)
    except RecursionError as error:
        raise NoYaml("it is nested too deeply") from error
    except (YAMLError, ValueError) as error:  # ValueError: a date such as 2024-13-45
        raise NoYaml(_reason(error)) from error


def read_foreign_yaml(text: str) -> object:
    """What is said in a file that nobody wrote for us, such as the front matter of a page: of a key
    that stands twice the last one counts. The parser in C is four times as fast. Raises NoYaml.
    """
    yaml = YAML(typ="safe", plug_ins=[])
    yaml.Constructor = _LastCounts
    try:
        return yaml.load(text)
    except RecursionError as error:
        raise NoYaml("it is nested too deeply") from error
    except (YAMLError, ValueError) as error:
        raise NoYaml(_reason(error)) from error


def write_yaml(value: object) -> str:
    """The text that `read_yaml` reads back, mappings in their own order."""
    yaml = YAML(typ="safe", pure=True)
    yaml.Representer = _Representer
    yaml.default_flow_style, yaml.width, yaml.allow_unicode = False, WIDTH, True
    yaml.sort_base_mapping_type_on_output = False  # type: ignore[assignment]  # None is declared
    stream = StringIO()
    yaml.dump(value, stream)
    return stream.getvalue()


def parsed(path: Path, text: str, hint: str = "") -> object:
    """What the text of a file says. Raises ConfigError with line and column where YAML knows them;
    `hint`: what may be the cause.
    """
    try:
        return read_yaml(text)
    except NoYaml as error:
        raise wrong(path, f"not valid YAML: {error}", hint) from error


def text_of(
    path: Path,
    wanted: str,
    near: Callable[[Path], str] = str,
    absent: str = "",
    most: int = MOST_BYTES,
) -> str:
    """The text of a file. Raises ConfigError where it cannot be read or has more than `most` bytes;
    `wanted`: what should have been there; `near`: how files beside a missing one are named;
    `absent`: the hint where there are none."""
    try:
        if path.stat().st_size > most:
            raise wrong(path, f"the file has more than {most:,} bytes", f"{wanted} is smaller")
        return path.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        raise wrong(path, "no such file", _beside(path, near) or absent) from error
    except IsADirectoryError as error:
        raise wrong(path, f"this is a folder, {wanted} is wanted") from error
    except PermissionError as error:
        raise wrong(path, "the file may not be read", "check its permissions") from error
    except UnicodeDecodeError as error:
        raise wrong(path, "the file is not UTF-8 text", "save it as UTF-8") from error
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        raise wrong(
            path, f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from error


def _beside(path: Path, near: Callable[[Path], str]) -> str:
    """The files of the kind that lie there, the one that is meant first; empty where none does."""
    files = sorted(path.parent.glob("*.y*ml")) if path.parent.is_dir() else []
    stems = {file.stem: near(file) for file in reversed(files)}
    stem = path.stem if path.stem in stems else path.name  # a name without its suffix
    meant = f"did you mean {stems[stem]}?" if stem in stems else ""
    if not meant:
        close = get_close_matches(path.stem, list(stems), 1)
        meant = f"did you mean {stems[close[0]]}?" if close else ""
    names = sorted(map(near, files))
    shown = ", ".join([*names[:SHOWN], *(["…"] if len(names) > SHOWN else [])])
    return f"{meant} here are: {shown}".lstrip() if names else ""


def wrong(path: Path, message: str, hint: str = "") -> ConfigError:
    where = str(path)
    return ConfigError(
        [Mistake(message, where=where if len(where) <= 300 else f"{where[:300]}…", hint=hint)]
    )


def _reason(error: Exception) -> str:
    mark = error.problem_mark if isinstance(error, MarkedYAMLError) else None
    problem = error.problem if isinstance(error, MarkedYAMLError) else None
    reason = problem or str(error).splitlines()[0].partition(' in "<')[0]
    where = f", in line {mark.line + 1}, column {mark.column + 1}" if mark else ""
    return " ".join(f"{reason}{where}".split())
