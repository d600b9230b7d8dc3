"""What the product imports is declared, what is declared is imported, and the pins are one set."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parent.parent
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text())
PRODUCT = ("llmops", "flows", "tasks", "configs", "deployments")
OURS = {"llmops", "benchmarks", "tests"}
NOT_IMPORTED = {
    "psycopg": "SQLAlchemy's driver, by the URL",
    "python-multipart": "Starlette's reader of forms with files",
    "httpx2": "Weaviate's client",
    "aiohttp": "fsspec's driver of https://",
    "s3fs": "fsspec's driver of s3://",
    "gcsfs": "fsspec's driver of gs://",
    "adlfs": "fsspec's driver of az://",
    "paramiko": "fsspec's driver of sftp://",
}
PARTS = {
    *("mlflow-skinny", "mlflow-tracing", "ruamel-yaml-clib", "mcp-types"),
    "fastmcp-slim",
    *("llama-index-llms-openai", "llama-index-llms-openai-like"),
    *("opentelemetry-api", "opentelemetry-sdk", "opentelemetry-semantic-conventions"),
    "opentelemetry-exporter-prometheus",
    "overrides",  # LanceDB's, looked at where it is
}  # of what is declared as a whole, or beside it in one namespace
LOADERS = ("import_module", "find_spec")


def plain(name: str) -> str:
    """A distribution's name as registries compare it."""
    return re.sub(r"[-_.]+", "-", name).lower()


def declared(requirements: list[str]) -> set[str]:
    return {plain(re.split(r"[\s\[<>=!~;]", line, maxsplit=1)[0]) for line in requirements}


DEFAULT = declared(PROJECT["project"]["dependencies"])
EXTRAS = {
    name: declared(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()
}


def modules(path: Path) -> Iterator[str]:
    """Every module that a file names in an import or to a loader, by its first part."""
    for node in ast.walk(ast.parse(path.read_text())):
        match node:
            case ast.Import():
                yield from (alias.name.partition(".")[0] for alias in node.names)
            case ast.ImportFrom(module=str(module), level=0):
                yield module.partition(".")[0]
            case ast.Call(func=ast.Name(id=loader) | ast.Attribute(attr=loader)) if (
                loader in LOADERS
                and node.args
                and isinstance(node.args[0], ast.Constant)
                and isinstance(node.args[0].value, str)
            ):
                yield node.args[0].value.partition(".")[0]


@cache
def imported(*rooms: str) -> dict[str, str]:
    """Distribution -> a file that imports it. A module of several comes under all of them."""
    providers = packages_distributions()
    return {
        plain(distribution): str(path.relative_to(ROOT))
        for room in rooms
        for path in sorted((ROOT / room).rglob("*.py"))
        if not path.name.endswith("_test.py")  # of plugins that users start from
        for module in modules(path)
        if module not in OURS and module not in sys.stdlib_module_names
        for distribution in providers.get(module, [])
    }


def test_what_the_product_imports_is_declared() -> None:
    known = PARTS | DEFAULT.union(*(EXTRAS[name] for name in EXTRAS if name != "dev"))
    strange = {name: file for name, file in imported(*PRODUCT).items() if name not in known}
    assert strange == {}


def test_what_tests_and_benchmarks_import_is_declared() -> None:
    known = PARTS | DEFAULT.union(*EXTRAS.values())
    found = imported("tests", "benchmarks")
    assert {name: file for name, file in found.items() if name not in known} == {}


def test_no_default_dependency_is_idle() -> None:
    assert DEFAULT - imported(*PRODUCT).keys() - NOT_IMPORTED.keys() == set()


def test_what_need_not_be_imported_is_declared() -> None:
    assert NOT_IMPORTED.keys() - DEFAULT.union(*EXTRAS.values()) == set()


def pins(name: str) -> dict[str, str]:
    """Distribution -> its pin with marker and hashes."""
    entries = re.split(r"^(?=[a-z0-9])", (ROOT / name).read_text(), flags=re.M)
    return {plain(re.split(r"\W*==", entry)[0]): entry for entry in entries if entry}


def test_the_demo_needs_a_part_of_what_is_pinned() -> None:
    """A pin of everything's may come with a marker in the demo's: then it is not even that."""
    demo, everything = pins("requirements-demo.txt"), pins("requirements.txt")
    marker = re.compile(r" ; [^\\]*(?=\\)")
    for name, pin in demo.items():
        assert pin == everything[name] or marker.sub(" ", pin) == everything[name]
    needed = DEFAULT | EXTRAS["minilm"] | declared(PROJECT["dependency-groups"]["build"])
    assert needed - demo.keys() == set()
    assert EXTRAS["dev"] & demo.keys() <= {
        *("scikit-learn", "safetensors", "packaging", "cryptography")
    }
    assert (EXTRAS["dev"] | EXTRAS["litellm"] | EXTRAS["weaviate"]) - everything.keys() == set()


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-demo.txt"])
def test_every_pin_has_its_hashes_and_no_address(name: str) -> None:
    assert not re.search(r"://|^-|@", (ROOT / name).read_text(), re.M)
    for entry in pins(name).values():
        head, *hashes = entry.replace("\\\n", "").split("--hash=")
        assert re.fullmatch(r"[a-z0-9.-]+==\S+\s*(; .*)?", head.strip()), entry
        assert hashes != []
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", each) for each in hashes)


def test_releases_that_stole_credentials_are_excluded() -> None:
    (litellm,) = PROJECT["project"]["optional-dependencies"]["litellm"]
    assert {"!=1.82.7", "!=1.82.8"} <= set(litellm.split(","))


def test_the_pins_that_keep_schedules_alive_are_there() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["dependencies"]
    assert any(each.startswith("sqlalchemy") and "<2.1" in each for each in wanted)
    assert any(each.startswith("fastapi") and "<0.151" in each for each in wanted)
    pinned = (ROOT / "requirements.txt").read_text()
    assert re.search(r"^sqlalchemy==2\.0\.", pinned, re.M)
    assert "torch" not in re.findall(r"^([a-z0-9-]+)==\S+ \\$", pinned, re.M)
