"""Other people's classes and functions by import path, and objects of them among the options of a
reader, a node parser, an embedding or a scorer:

    options: {embed_model: {path: llama_index.embeddings.huggingface.HuggingFaceEmbedding,
                            options: {model_name: BAAI/bge-small-en-v1.5}}}

With `as_is: true` what stands at the path is taken as it is, and not called: a member of an
enumeration, a class. And what a class will import only when it works.
"""

import ast
import inspect
import re
import textwrap
from collections.abc import Callable, Iterator, Mapping
from functools import lru_cache
from importlib.util import find_spec
from json import loads
from typing import Any, TypeGuard

from llmops.tasks.plugins import canonical
from llmops.tasks.plugins.importing import imported

PATH = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*(\.[A-Z]\w*|:[A-Za-z_]\w*(\.[A-Za-z_]\w*)*)")
"""`package.module.Class`, or `package.module:anything`."""
KEYS = {"path", "options", "as_is"}
SECRET = frozenset({"key", "token", "secret", "password"})
MISSING = (ImportError, ModuleNotFoundError)
DISTRIBUTIONS = {"bs4": "beautifulsoup4", "yaml": "pyyaml", "PIL": "pillow", "fitz": "pymupdf"}
"""Packages that are not called as what they hold."""
Options = Mapping[str, object]


def is_object(value: object) -> TypeGuard[Options]:
    """Whether an option is written as an object: an import path, and options or `as_is: true`."""
    return (
        isinstance(value, Mapping)
        and {*value} <= KEYS
        and isinstance(value.get("path"), str)
        and PATH.fullmatch(value["path"]) is not None
        and isinstance(value.get("options", {}), Mapping)
        and isinstance(value.get("as_is", False), bool)
    )


def checked_objects(options: object, where: str = "options") -> bool:
    """Whether an object among the options is still to be made; none is made here. Raises ValueError
    for one that could not be: no such class, a library it lacks, options that it does not take.
    """
    if is_object(options):
        kind, given = _called(options, where), _options(options)
        if kind is None:
            return False
        if isinstance(kind, type) and (lacks := lacking(kind)):
            raise ValueError(f"{where}: {lacks}")
        check_taken(kind, given, where)
        checked_objects(given, where)
        return True
    found = [checked_objects(each, f"{where}.{key}") for key, each in _inside(options)]
    return any(found)


def with_objects(options: Options) -> dict[str, object]:
    """The options with their objects made. One of the same path and options is made once: a model
    is not loaded for each document. Raises what the classes raise.
    """
    return {key: _settled(each) for key, each in options.items()}


def _settled(value: object) -> object:
    if is_object(value):
        if value.get("as_is"):
            return imported(str(value["path"]))
        return _made(str(value["path"]), canonical(_options(value)))
    if isinstance(value, Mapping):
        return with_objects(value)
    return [_settled(each) for each in value] if isinstance(value, list) else value


def without_secrets(options: object, *, inside: bool = False) -> object:
    """The options without keys and passwords of the objects among them: what these make does not
    depend on who pays for it.
    """
    if isinstance(options, Mapping):
        inside = inside or is_object(options)
        return {
            key: without_secrets(each, inside=inside)
            for key, each in options.items()
            if not (inside and SECRET & {*str(key).lower().split("_")})
        }
    if isinstance(options, list):
        return [without_secrets(each, inside=inside) for each in options]
    return options


def lacking(kind: type[Any]) -> str:
    """What says that a library is missing which the class imports when it works, or ""; as far as
    its own text tells: an import that the class itself answers with an error.
    """
    absent = [name for name in _wanted(kind) if find_spec(name) is None]
    if not absent:
        return ""
    packages = " ".join(DISTRIBUTIONS.get(name, name.replace("_", "-")) for name in absent)
    return f"{kind.__name__} needs {', '.join(absent)}: pip install {packages}"


@lru_cache(maxsize=64)
def _made(path: str, options: str) -> object:
    made: Callable[..., object] = _callable(path, "options")
    return made(**with_objects(loads(options)))


def _options(value: Options) -> dict[str, object]:
    given = value.get("options", {})
    return dict(given) if isinstance(given, Mapping) else {}


def _inside(options: object) -> Iterator[tuple[str, object]]:
    if isinstance(options, Mapping):
        yield from ((str(key), each) for key, each in options.items())
    elif isinstance(options, list):
        yield from ((str(number), each) for number, each in enumerate(options))


def _called(options: Options, where: str) -> Callable[..., Any] | None:
    """What makes the object; None where it is taken as it is."""
    path = str(options["path"])
    if not options.get("as_is"):
        return _callable(path, where)
    if options.get("options"):
        raise ValueError(f"{where}: {path} is taken as it is (as_is: true) and has no options")
    imported(path, where)
    return None


def _callable(path: str, where: str) -> Callable[..., Any]:
    """A class, or behind a colon any function. Raises ValueError."""
    kind = imported(path, where)
    if ":" not in path and not isinstance(kind, type):
        module, _, name = path.rpartition(".")
        raise ValueError(f"{where}: {module} has no class {name}")
    if not callable(kind):
        raise ValueError(f"{where}: {path} cannot be called; `as_is: true` takes it as it is")  # noqa: TRY004 - for pydantic
    return kind


def check_taken(kind: Callable[..., Any], options: Options, where: str) -> None:
    """Raise ValueError for options that a class or a function does not take, as far as its
    signature tells.
    """
    try:
        signature = inspect.signature(kind)
    except ValueError:  # made of C, or too clever: it will say itself
        return
    try:
        signature.bind_partial(**options)
    except TypeError as error:
        name = getattr(kind, "__name__", type(kind).__name__)
        takes = ", ".join(signature.parameters) or "none"
        raise ValueError(
            f"{where}: {name} does not take these options: {error}; it takes {takes}"
        ) from error


def _wanted(kind: type[Any]) -> list[str]:
    """The top-level modules whose absence the methods of the class turn into an error."""
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(kind)))
    except (OSError, TypeError, SyntaxError):  # made of C, or at a prompt
        return []
    methods = (each for each in ast.walk(tree) if isinstance(each, ast.FunctionDef))
    tries = (each for method in methods for each in method.body if isinstance(each, ast.Try))
    guarded = (each for each in tries if any(_raises(handler) for handler in each.handlers))
    return list(dict.fromkeys(name for each in guarded for name in _imported(each.body)))


def _raises(handler: ast.ExceptHandler) -> bool:
    """Whether it answers a missing library with an error."""
    names = {each.id for each in ast.walk(handler.type or ast.Pass()) if isinstance(each, ast.Name)}
    return bool(names & {each.__name__ for each in MISSING}) and any(
        isinstance(each, ast.Raise) for each in handler.body
    )


def _imported(body: list[ast.stmt]) -> Iterator[str]:
    for each in body:
        if isinstance(each, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in each.names)
        elif isinstance(each, ast.ImportFrom) and each.module and not each.level:
            yield each.module.partition(".")[0]
