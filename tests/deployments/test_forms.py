"""What the form of a custom run in Prefect's pages offers is what the flows take."""

import ast
from pathlib import Path

import pytest

from llmops.configs.reading import FLOWS

ROOT = Path(__file__).parent.parent.parent


@pytest.mark.parametrize(
    "flow", [each for each in FLOWS if each not in ("alerts", "compare", "serve")]
)
def test_switches_are_parameters_of_the_flow(flow: str) -> None:
    from llmops.deployments.deploy import OPTIONS

    path = ROOT / "flows" / f"{flow}.py"
    functions = [node for node in ast.parse(path.read_text()).body if hasattr(node, "args")]
    (found,) = [node for node in functions if getattr(node, "name", "") == flow]
    taken = {
        each.arg
        for each in found.args.args
        if each.annotation and ast.unparse(each.annotation) == "bool"
    }
    assert set(OPTIONS.get(flow, ())) == taken
