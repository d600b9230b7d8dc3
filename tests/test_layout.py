"""The house rules. A rule that nobody checks decays, so each one is a test."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("deployments", "flows", "tasks", "configs", "benchmarks", "tests")
LONGEST_FILE, LONGEST_FUNCTION, LONGEST_LINE = 220, 34, 150
HEART = ("knowledge", "retrieval", "upkeep", "tracking", "validation", "prompts", "evaluation")
FAMILIES = ("sources", "parsers", "cleaners", "chunkers", "embedders", "stores", "llms", "scorers")
FILES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))


def name(path: Path) -> str:
    return str(path.relative_to(ROOT))


def imports(path: Path) -> set[str]:
    """Every module that a file imports, at the top or inside a function."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found


def reaches(path: Path, *modules: str) -> list[str]:
    return sorted(
        one
        for one in imports(path)
        if any(one == module or one.startswith(module + ".") for module in modules)
    )


def below_the_tasks() -> list[Path]:
    """Rooms and families: everything in a folder of tasks/, and the modules that they stand on."""
    return [
        path
        for path in FILES
        if path.parts[len(ROOT.parts)] == "tasks"
        and (
            path.parent != ROOT / "tasks"
            or path.stem in ("errors", "plugins", "records", "yaml_files", "__init__")
        )
    ]


def functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    return (
        node
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    )


def test_only_the_task_layer_and_the_flows_know_prefect() -> None:
    assert {
        name(path): found for path in below_the_tasks() if (found := reaches(path, "prefect"))
    } == {}


def test_only_tracking_knows_mlflow() -> None:
    allowed = ROOT / "tasks" / "tracking"
    own = [
        path
        for path in FILES
        if "tests" not in path.parts
        and "benchmarks" not in path.parts
        and allowed not in path.parents
    ]
    assert {name(path): found for path in own if (found := reaches(path, "mlflow"))} == {}


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("tasks", ("configs", "flows", "deployments")),
        ("configs", ("flows", "deployments")),
        ("flows", ("deployments",)),
    ],
)
def test_imports_run_one_way(room: str, forbidden: tuple[str, ...]) -> None:
    assert {
        name(path): found
        for path in FILES
        if path.parts[len(ROOT.parts)] == room and (found := reaches(path, *forbidden))
    } == {}


def test_plugins_do_not_reach_into_the_heart() -> None:
    own = [path for family in FAMILIES for path in (ROOT / "tasks" / family).glob("*.py")]
    assert {
        name(path): found
        for path in own
        if (found := reaches(path, *(f"tasks.{room}" for room in HEART)))
    } == {}


@pytest.mark.parametrize(
    ("room", "forbidden"),
    [
        ("retrieval", ("knowledge", "upkeep")),
        ("knowledge", ("upkeep",)),
        ("statistics", HEART),
        ("filters", HEART),
        ("prompts", tuple(one for one in HEART if one != "prompts")),
        ("knowledge", ("evaluation",)),
        ("retrieval", ("evaluation", "prompts")),
    ],
)
def test_rooms_stand_on_each_other_one_way(room: str, forbidden: tuple[str, ...]) -> None:
    own = (ROOT / "tasks" / room).glob("*.py")
    others = [f"tasks.{one}" for one in forbidden if one != room]
    assert {name(path): found for path in own if (found := reaches(path, *others))} == {}


def test_no_product_code_imports_tests() -> None:
    own = [path for path in FILES if path.parts[len(ROOT.parts)] not in ("tests", "benchmarks")]
    assert {
        name(path): found for path in own if (found := reaches(path, "tests", "benchmarks"))
    } == {}


def test_no_file_is_too_long() -> None:
    assert {
        name(path): lines
        for path in FILES
        if (lines := len(path.read_text().splitlines())) > LONGEST_FILE
    } == {}


def test_no_function_is_too_long() -> None:
    sizes = {
        f"{name(path)}: {node.name}": (node.end_lineno or 0) - node.lineno + 1
        for path in FILES
        for node in functions(path)
    }
    assert {place: lines for place, lines in sizes.items() if lines > LONGEST_FUNCTION} == {}


def test_no_folder_below_tasks_is_deeper_than_two() -> None:
    deep = [
        name(path)
        for path in FILES
        if path.parts[len(ROOT.parts)] == "tasks" and len(path.relative_to(ROOT).parts) > 3
    ]
    assert deep == []


@pytest.mark.parametrize("family", FAMILIES)
def test_each_plugin_file_holds_one_plugin_of_its_family(family: str) -> None:
    from llmops.tasks.plugins import find, names

    own = {
        path.stem
        for path in (ROOT / "tasks" / family).glob("*.py")
        if not path.stem.startswith("_")
    }
    assert own <= set(names(family))
    assert all(find(family, one).__module__ == f"tasks.{family}.{one}" for one in own)


def test_tasks_are_one_sentence() -> None:
    tasks = {
        f"{name(path)}: {node.name}": len(node.body)
        for path in (ROOT / "tasks").glob("*.py")
        for node in functions(path)
        if any("task" in ast.unparse(decorator) for decorator in node.decorator_list)
    }
    assert len(tasks) >= 10
    assert {place: statements for place, statements in tasks.items() if statements > 4} == {}


def test_nothing_passes_silently() -> None:
    silent = [
        f"{name(path)}:{node.lineno}"
        for path in FILES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ExceptHandler)
        and node.type is not None
        and ast.unparse(node.type) in ("Exception", "BaseException")
        and all(isinstance(step, ast.Pass) for step in node.body)
    ]
    assert silent == []


def test_the_house_says_nothing_of_the_machines_that_it_was_built_on() -> None:
    listed = (
        subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
        .stdout.decode()
        .split("\0")
    )
    if listed == [""]:
        pytest.skip("not a git checkout")
    hosts = "|".join(["python" + "hosted", "py" + r"pi\.org", "npm" + r"js\.org"])
    pattern = re.compile(rf"(?<![\w.])/(?:work|root)/[\w.]|{hosts}")
    texts = {
        one: (ROOT / one).read_text(errors="ignore")
        for one in listed
        if one and (ROOT / one).is_file()
    }
    assert {one: found[0] for one, text in texts.items() if (found := pattern.search(text))} == {}


def test_the_pins_that_keep_schedules_alive_are_there() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert any(one.startswith("sqlalchemy") and "<2.1" in one for one in project["dependencies"])
    assert any(one.startswith("fastapi") and "<0.151" in one for one in project["dependencies"])
    pinned = (ROOT / "requirements.txt").read_text()
    assert re.search(r"^sqlalchemy==2\.0\.", pinned, re.M)
    assert "torch" not in re.findall(r"^([a-z0-9-]+)==\S+ \\$", pinned, re.M)


def test_no_test_module_imports_prefect_at_its_top() -> None:
    """Collecting it would settle Prefect's settings for the whole process, before a server is there
    to talk to.
    """
    heavy = (
        "prefect",
        "llmops.flows.index",
        "llmops.tasks.artifacts",
        "llmops.tasks.runs",
        *(
            f"tasks.{path.stem}"
            for path in (ROOT / "tasks").glob("*.py")
            if reaches(path, "prefect")
        ),
    )
    tops = {
        name(path): found
        for path in FILES
        if path.parts[len(ROOT.parts)] == "tests"
        if (found := sorted(top_level(path) & set(heavy)))
    }
    assert tops == {}


def top_level(path: Path) -> set[str]:
    """The modules that a file imports when it is imported."""
    found: set[str] = set()
    for node in ast.parse(path.read_text()).body:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return found
