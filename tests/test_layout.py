"""The house rules. A rule that nobody checks decays, so each one is a test."""

import ast
import re
import tomllib
from collections import Counter
from functools import cache
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest

from tests.rooms import FAMILIES, GROUND, MAY_IMPORT, PURE

ROOT = Path(__file__).parent.parent
TOPS = ("deployments", "flows", "tasks", "configs")
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_LINE = 400, 50, 100
UNTYPED_DICTS, BARE_ANYS = 65, 30
"""How many signatures may say `dict[str, Any]`, and how many a bare `Any`. They may only fall."""


def module(path: Path) -> str:
    """The dotted name of a file below the root; a package's is that of its folder."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    parts = parts[:-1] if parts[-1] == "__init__" else parts
    return ".".join(parts if parts[:1] == ["llmops"] else ["llmops", *parts])


SURFACE = sorted([*ROOT.glob("llmops/*.py"), *(ROOT / "llmops/integrations").rglob("*.py")])
"""What users import beside the four folders, whose links lie there too."""
PRODUCT = {
    module(path): path
    for path in [*(path for top in TOPS for path in sorted((ROOT / top).rglob("*.py"))), *SURFACE]
}
BESIDE = [path for top in ("benchmarks", "tests") for path in sorted((ROOT / top).rglob("*.py"))]
FILES = [*PRODUCT.values(), *BESIDE]


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


@cache
def imports(path: Path, *, top_only: bool = False) -> set[str]:
    """Every module that a file imports, and every name in one, at the top or in a function."""
    tree = parsed(path)
    modules: set[str] = set()
    for node in tree.body if top_only else ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return modules


def reaches(path: Path, *modules: str) -> list[str]:
    return sorted(
        each
        for each in imports(path)
        if any(each == wanted or each.startswith(f"{wanted}.") for wanted in modules)
    )


@cache
def own_imports(path: Path) -> set[str]:
    """The files of the house that a file imports: of `from a.b import c` a.b.c if it is one."""
    files: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            files |= {alias.name for alias in node.names if alias.name in PRODUCT}
        elif isinstance(node, ast.ImportFrom) and node.module in PRODUCT:
            inner = [f"{node.module}.{alias.name}" for alias in node.names]
            files |= {each if each in PRODUCT else node.module for each in inner}
    return files


def room(dotted: str) -> str:
    """`statistics`, `plugins.sources`, `ground`, `tasks` for the task modules, else the top;
    `surface` for what users import.
    """
    parts = dotted.split(".")[1:]
    if not parts or parts[0] not in TOPS:
        return "surface"
    if parts[:2] in (["flows", "commands"], ["flows", "cli"], ["flows", "entry"]):
        return "commands"  # entry points: they stand on everything
    if parts[0] != "tasks" or len(parts) == 1:
        return parts[0]
    if parts[1] in GROUND:
        return "ground"
    if parts[1] == "plugins":
        return ".".join(parts[1:3])
    return parts[1] if (ROOT / "tasks" / parts[1]).is_dir() else "tasks"


@cache
def functions(path: Path) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    return [
        node
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    ]


ROOMS = {dotted: room(dotted) for dotted in PRODUCT}


def test_only_the_task_layer_and_what_is_above_it_know_prefect() -> None:
    above = ("tasks", "flows", "deployments", "commands")
    below = [path for each, path in PRODUCT.items() if ROOMS[each] not in above]
    assert {name(path): seen for path in below if (seen := reaches(path, "prefect"))} == {}


def test_only_tracking_knows_mlflow() -> None:
    others = [path for each, path in PRODUCT.items() if ROOMS[each] != "tracking"]
    assert {name(path): seen for path in others if (seen := reaches(path, "mlflow"))} == {}


@pytest.mark.parametrize(
    ("top", "forbidden"),
    [
        ("tasks", ("configs", "flows", "deployments")),
        ("configs", ("flows", "deployments")),
        ("flows", ("deployments",)),
        ("deployments", ()),
    ],
)
def test_tops_import_one_way(top: str, forbidden: tuple[str, ...]) -> None:
    own = [path for each, path in PRODUCT.items() if each.startswith(f"llmops.{top}.")]
    own = [path for path in own if ROOMS[module(path)] != "commands"]
    names = [f"llmops.{each}" for each in (*forbidden, "knowledge_base", "results", "integrations")]
    wrong = {name(path): reaches(path, *names) for path in own}
    assert {file: seen for file, seen in wrong.items() if seen} == {}


def test_every_room_says_which_rooms_it_stands_on() -> None:
    rooms = {path.name for path in (ROOT / "tasks").iterdir() if (path / "__init__.py").exists()}
    assert rooms - {"plugins"} == set(MAY_IMPORT)
    assert rooms & {path.stem for path in (ROOT / "tasks").glob("*.py")} == set()  # one hides one


@pytest.mark.parametrize("own", MAY_IMPORT)
def test_rooms_stand_on_each_other_one_way(own: str) -> None:
    allowed = {own, "ground", *MAY_IMPORT[own]}
    allowed |= set() if own in PURE or own == "tracking" else {"plugins", *PURE}
    wrong = {
        name(path): seen
        for each, path in PRODUCT.items()
        if ROOMS[each] == own
        and (seen := [to for to in own_imports(path) if ROOMS[to].split(".")[0] not in allowed])
    }
    assert wrong == {}


def test_plugins_stand_on_the_ground_and_on_what_is_pure() -> None:
    wrong = {
        name(path): seen
        for each, path in PRODUCT.items()
        if ROOMS[each].startswith("plugins")
        and (
            seen := [
                to
                for to in own_imports(path)
                if ROOMS[to].split(".")[0] not in ("plugins", "ground", *PURE)
            ]
        )
    }
    assert wrong == {}


@pytest.mark.parametrize("grain", ["files", "rooms"])
def test_nothing_imports_in_a_circle(grain: str) -> None:
    edges: dict[str, set[str]] = {}
    for each, path in PRODUCT.items():
        for to in own_imports(path):
            start, end = (each, to) if grain == "files" else (ROOMS[each], ROOMS[to])
            if start != end:
                edges.setdefault(start, set()).add(end)
    try:
        TopologicalSorter(edges).prepare()
    except CycleError as error:
        pytest.fail(" -> ".join(reversed(error.args[1])))


def test_what_is_private_to_a_package_is_imported_in_it_alone() -> None:
    wrong = []
    for path in [*PRODUCT.values(), *sorted((ROOT / "benchmarks").rglob("*.py"))]:
        package = f"{module(path if path.name == '__init__.py' else path.parent / '__init__.py')}."
        for each in imports(path):
            parts = each.split(".")
            private = [n for n, part in enumerate(parts) if re.match("_[^_]", part)]
            owner = ".".join(parts[: private[0]]) if parts[0] == "llmops" and private else ""
            # the names of a module are its own; those of a package are of all that it holds
            inside = owner in PRODUCT and PRODUCT[owner].name == "__init__.py"
            if owner and not (inside and package.startswith(f"{owner}.")):
                wrong.append(f"{name(path)}: {each}")
    assert wrong == []


def test_the_folders_are_imported_by_one_name_alone() -> None:
    bare = {name(path): seen for path in FILES if (seen := reaches(path, *TOPS))}
    assert bare == {}
    assert {link.name for link in (ROOT / "llmops").iterdir() if link.is_symlink()} == set(TOPS)


def test_no_product_code_imports_tests() -> None:
    assert [name(path) for path in PRODUCT.values() if reaches(path, "tests", "benchmarks")] == []


def test_no_file_is_too_long() -> None:
    long = {name(path): len(path.read_text().splitlines()) for path in FILES}
    assert {file: lines for file, lines in long.items() if lines > LONGEST_FILE} == {}


def test_no_function_is_too_long() -> None:
    sizes = {
        f"{name(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in functions(path)
    }
    assert {place: lines for place, lines in sizes.items() if lines > LONGEST_FUNCTION} == {}


def test_lines_end_where_the_formatter_ends_them() -> None:
    ruff = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]
    assert ruff["line-length"] == LONGEST_LINE
    assert "ruff format --check" in (ROOT / "Makefile").read_text()


def annotations(node: ast.FunctionDef | ast.AsyncFunctionDef) -> list[str]:
    """What a signature says of its arguments and of what it returns."""
    given = node.args
    every = [*given.posonlyargs, *given.args, *given.kwonlyargs, given.vararg, given.kwarg]
    said = [one.annotation for one in every if one is not None] + [node.returns]
    return [ast.unparse(each) for each in said if each is not None]


def test_signatures_say_what_passes_through_them() -> None:
    said = [annotations(node) for path in PRODUCT.values() for node in functions(path)]
    dicts = sum(any("dict[str, Any]" in each for each in signature) for signature in said)
    anys = sum("Any" in signature for signature in said)
    assert dicts <= UNTYPED_DICTS, "signatures with dict[str, Any]"
    assert anys <= BARE_ANYS, "signatures with a bare Any"


def test_no_class_name_stands_twice() -> None:
    """What users import is called as they call it, and the same in each framework."""
    names: dict[str, list[str]] = {}
    for dotted, path in PRODUCT.items():
        room = dotted.split(".")[2] if "llmops.integrations." in dotted else str(path in SURFACE)
        nodes = (node for node in ast.walk(parsed(path)) if isinstance(node, ast.ClassDef))
        names.setdefault(room, []).extend(node.name for node in nodes)
    for classes in map(Counter, names.values()):
        assert {each: count for each, count in classes.items() if count > 1} == {}


def test_a_submodule_never_hides_a_name_of_its_package() -> None:
    """Importing `x.y` sets the name y in x: a function of that name would be gone."""
    wrong = []
    for path in PRODUCT.values():
        if path.name != "__init__.py":
            continue
        inner = {each.stem for each in path.parent.glob("*.py")} | {
            each.parent.name for each in path.parent.glob("*/__init__.py")
        }
        bound = {
            node.name
            for node in parsed(path).body
            if isinstance(node, ast.FunctionDef | ast.ClassDef)
        } | {each.rpartition(".")[2] for each in imports(path) if each not in PRODUCT}
        wrong += [f"{name(path)}: {each}" for each in sorted(inner & bound)]
    assert wrong == []


@pytest.mark.parametrize(
    "family", [each for each in FAMILIES if (ROOT / "tasks/plugins" / each).is_dir()]
)
def test_a_plugin_is_a_file_or_a_folder_of_its_name(family: str) -> None:
    from llmops.tasks.plugins import load, names  # without asking for libraries of extras

    folder = ROOT / "tasks" / "plugins" / family
    own = {path.stem for path in folder.glob("*.py")}
    own |= {path.parent.name for path in folder.glob("*/__init__.py")}
    own = {each for each in own if not each.startswith("_")}
    assert own
    assert own <= set(names(family))
    places = {each: load(family, each).__module__ for each in own}
    assert {each: f"llmops.tasks.plugins.{family}.{each}" for each in own} == places


def test_tasks_are_one_sentence() -> None:
    tasks = {
        f"{name(path)}: {node.name}": len(node.body)
        for path in (ROOT / "tasks").glob("*.py")
        for node in functions(path)
        if any("task" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert len(tasks) >= 10
    assert {place: statements for place, statements in tasks.items() if statements > 4} == {}


def test_runs_of_tasks_are_called_by_what_they_do() -> None:
    """Without `task_run_name`, Prefect gives them a random ending."""
    given = [
        ast.unparse(decorator)
        for path in (ROOT / "tasks").glob("*.py")
        for node in functions(path)
        for decorator in node.decorator_list
        if ast.unparse(decorator).startswith("task(")
    ]
    assert len(given) >= 10
    assert [each for each in given if "task_run_name=" not in each] == []


def test_a_flow_reads_like_its_page() -> None:
    flows = {
        path.stem: path
        for path in (ROOT / "flows").glob("*.py")
        if any("flow(" in ast.unparse(d) for node in functions(path) for d in node.decorator_list)
    }
    assert set(flows) >= {"index", "evaluate"}
    assert {each: lines for each, path in flows.items() if (lines := code_lines(path)) > 90} == {}


def code_lines(path: Path) -> int:
    """Lines that are neither empty, nor imports, nor comments, nor docstrings."""
    tree = parsed(path)
    skipped: set[int] = set()
    for node in ast.walk(tree):
        text = isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)
        if isinstance(node, ast.Import | ast.ImportFrom | ast.Expr):
            lines_of = range(node.lineno, (node.end_lineno or 0) + 1)
            skipped |= set(lines_of) if text or not isinstance(node, ast.Expr) else set()
    lines = enumerate(path.read_text().splitlines(), 1)
    return sum(bool(line.split("#")[0].strip()) and number not in skipped for number, line in lines)


def test_nothing_passes_silently() -> None:
    silent = [
        f"{name(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ExceptHandler)
        and node.type is not None
        and ast.unparse(node.type) in ("Exception", "BaseException")
        and all(isinstance(step, ast.Pass) for step in node.body)
    ]
    assert silent == []


def folders() -> list[str]:
    """Every folder of product code, as `tasks/plugins/sources/`."""
    every = {path.parent.relative_to(ROOT) for path in PRODUCT.values()}
    return sorted(f"{each}/" for each in every)


def test_the_architecture_names_every_folder_of_the_tree() -> None:
    text = (ROOT / "docs" / "architecture.md").read_text()
    tree = text[text.index("## The tree") :].split("```")[1]
    shown = set(re.findall(r"(?<!\S)[\w/]+/(?!\S)", tree))
    assert [each for each in folders() if each not in shown] == []
    assert [each for each in sorted(shown) if not (ROOT / each).is_dir()] == []


def test_contributing_names_every_room() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text()
    families = [each for each in FAMILIES if f"tasks/plugins/{each}/" in folders()]
    wanted = [*TOPS, *MAY_IMPORT, *families]
    assert [each for each in wanted if not re.search(rf"\b{each}\b", text)] == []


def test_no_test_module_imports_prefect_at_its_top() -> None:
    """It would settle Prefect's settings for the whole process, before there is a server."""
    heavy = {"prefect", *(each for each, path in PRODUCT.items() if reaches(path, "prefect"))}
    tests = [path for path in BESIDE if path.parts[len(ROOT.parts)] == "tests"]
    tops = {name(path): sorted(imports(path, top_only=True) & heavy) for path in tests}
    assert {file: seen for file, seen in tops.items() if seen} == {}


def test_a_module_with_slow_tests_says_so_itself() -> None:
    """`make test` imports no other for them: `pytest_ignore_collect` in tests/conftest.py."""
    assert [
        name(path)
        for path in BESIDE
        if not path.name.startswith("test_") and "mark.slow" in path.read_text()
    ] == []
