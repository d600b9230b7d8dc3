"""What importing the names costs that users import."""

import json
import subprocess
import sys

import pytest

HEAVY = (
    *("prefect", "mlflow", "great_expectations", "lancedb", "weaviate", "onnxruntime", "scipy"),
    *("pandas", "pyarrow", "numpy", "pydantic", "sqlalchemy", "alembic", "fastapi", "matplotlib"),
    *("llama_index", "langchain_core", "haystack"),
)
IMPORTED = (
    ("import llmops", set[str]()),
    ("import llmops.integrations", set[str]()),
    ("from llmops import Passage, Document, Status, Explanation", {"pydantic"}),
    ("from llmops import KnowledgeBase", {"numpy", "pandas", "pyarrow", "sqlalchemy"}),
    ("KnowledgeBase('handbook')", set[str]()),
    ("from llmops import index", {"prefect"}),
    ("from llmops import nightly", set[str]()),
    ("from llmops import evaluate", set[str]()),
    ("from llmops import monitor", {"scipy"}),
    ("from llmops import finetune", set[str]()),
)
"""Statements in their order, and what each adds to what is imported."""


@pytest.mark.slow
def test_a_name_imports_what_it_needs() -> None:
    look = f"sorted(name for name in {HEAVY!r} if name in sys.modules)"
    lines = [f"{code}\nprint(json.dumps({look}))" for code, _ in IMPORTED]
    code = "\n".join(["import json, sys", *lines])
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr
    before, added = set[str](), []
    for line in run.stdout.splitlines():
        added.append(set(json.loads(line)) - before)
        before |= added[-1]
    assert dict(zip([each for each, _ in IMPORTED], added, strict=True)) == dict(IMPORTED)


def test_every_public_name_is_there_and_listed() -> None:
    import llmops

    listed = " ".join(code for code, _ in IMPORTED)
    for name in llmops.__all__:
        assert name in dir(llmops)
        assert name in listed


@pytest.mark.slow
def test_a_missing_framework_is_told_with_the_command_that_installs_it() -> None:
    cases = {
        ("llama_index", "llama_index"): "llamaindex",
        ("langchain", "langchain_core"): "langchain",
        ("langchain", "langchain_text_splitters"): "langchain",
        ("haystack", "haystack"): "haystack",
    }
    code = "import sys\n" + "".join(
        f"sys.modules[{missing!r}] = None\n"
        f"try: import llmops.integrations.{module}\n"
        f"except ImportError as error: print(error)\n"
        f"del sys.modules[{missing!r}]\n"
        for module, missing in cases
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    said = [
        f"({missing} is missing); install it: pip install 'llmops-pipelines[{extra}]'"
        for (_, missing), extra in cases.items()
    ]
    lines = run.stdout.splitlines()
    assert [line[line.index("(") :] for line in lines] == said, run.stderr
