"""The flows as functions: `from llmops import index`, in every surrounding that users have."""

import json
import os
import subprocess
import sys

import pytest

from tests import forks
from tests.commandline import Office

CONFIG = """
flow: index
knowledge_base: {name}
sources: [{{name: files, path: ./docs}}]
embed: hash
"""


@pytest.fixture
def project(office: Office) -> Office:
    (office.folder / "docs").mkdir(exist_ok=True)
    (office.folder / "docs" / "a.md").write_text("# Password\n\nPress reset. It takes a minute.")
    (office.folder / "kb.yaml").write_text(CONFIG.format(name=office.kb))
    return office


def python(project: Office, code: str) -> str:
    """What a script in the project's folder prints, which has heard nothing of a server."""
    named = ("PREFECT_", "LLMOPS_OWN")
    plain = {name: value for name, value in os.environ.items() if not name.startswith(named)}
    plain |= {"PREFECT_LOGGING_LEVEL": "CRITICAL", "PREFECT_HOME": str(project.folder / "prefect")}
    plain |= {"LLMOPS_HOME": str(project.home)}
    process = forks.start("-c", code, environment=plain, cwd=project.folder)
    out, err = process.communicate(timeout=180)
    assert process.wait() == 0, err
    return out


@pytest.mark.slow
def test_a_script_without_a_flow_uses_the_home_s_server_also_where_prefect_is_imported_first(
    project: Office,
) -> None:
    out = python(
        project,
        "import json, prefect\nfrom llmops import index\n"
        "first = index('kb.yaml')\n"
        f"again = index({{'knowledge_base': {project.kb!r}, 'embed': 'hash',"
        " 'sources': [{'name': 'files', 'path': 'docs'}]})\n"
        "state = index.with_options(name='ours')('kb.yaml', return_state=True)\n"
        "print(json.dumps([type(first).__name__, first.status, first.version, again.status,"
        " state.name, first.links['prefect']]))",
    )
    kind, status, version, again, state, link = json.loads(out.splitlines()[-1])
    assert (kind, status, version, again, state) == (
        "Outcome",
        "published",
        1,
        "unchanged",
        "Completed",
    )
    from llmops.flows import server

    found = server.find(project.home)
    assert found
    assert link.startswith(found.ui)


@pytest.mark.slow
def test_in_a_flow_of_the_user_s_own_it_is_a_run_below_and_a_guard_raises_our_error(
    project: Office,
) -> None:
    out = python(
        project,
        "import asyncio, json, shutil\nfrom pathlib import Path\nfrom prefect import flow\n"
        "from prefect.runtime import flow_run\nfrom llmops import index\n"
        "from llmops.flows import server\n"
        "from llmops.flows.calling import connected\n"
        "from llmops.tasks.errors import Blocked\n"
        "from llmops.configs.settings import settings\n"
        "@flow\n"
        "async def mine():\n"
        "    built = index('kb.yaml')\n"
        "    Path('docs/a.md').unlink()\n"
        "    try: index('kb.yaml')\n"
        "    except Blocked as stop: return [built.status, stop.message]\n"
        "with connected(settings().absolute_home): print(json.dumps(asyncio.run(mine())))",
    )
    status, message = json.loads(out.splitlines()[-1])
    assert status == "published"
    assert "empty" in message or "vanished" in message or "delet" in message


PROMPT = """
name: {name}
messages:
  - {{role: system, content: "Answer {how}.\\n{{{{passages}}}}"}}
  - {{role: user, content: "{{{{question}}}}"}}
"""


@pytest.mark.slow
def test_a_model_or_a_mapping_in_a_flow_of_the_user_s_own_gives_typed_outcomes(
    project: Office,
) -> None:
    for name, how in (("long", "in two sentences"), ("short", "in one sentence")):
        text = PROMPT.format(name=name, how=how)
        (project.folder / f"{name}.yaml").write_text(text)
    case = {
        "inputs": {"question": "How long does a reset take?"},
        "expected": {"answer": "A minute"},
    }
    cases = [json.dumps({"id": str(number), **case}) for number in range(3)]
    (project.folder / "cases.jsonl").write_text("\n".join(cases))
    out = python(
        project,
        "import json\nfrom prefect import flow\nfrom llmops import KnowledgeBase, evaluate, index\n"
        "from llmops.configs.index import IndexConfig\n"
        "from llmops.configs.settings import settings\n"
        "from llmops.flows.calling import connected\n"
        f"name, base = {project.kb!r}, {{'knowledge_base': {project.kb!r}}}\n"
        "files = [{'name': 'files', 'path': 'docs'}]\n"
        "arms = {n: {'prompt': f'{n}.yaml', 'llm': 'extractive', 'retrieve': base}"
        " for n in ('long', 'short')}\n"
        "compared = {'name': 'lengths', 'cases': 'cases.jsonl', 'arms': arms,"
        " 'scorers': ['token_f1'], 'decide': {'metric': 'token_f1'}}\n"
        "@flow\n"
        "def mine():\n"
        "    config = IndexConfig(flow='index', knowledge_base=name, sources=files, embed='hash')\n"
        "    built, decision = index(config), evaluate(compared)\n"
        "    found = KnowledgeBase(name).search('password', k=1)[0]\n"
        "    return [type(built).__name__, built.version, type(decision).__name__,"
        " decision.verdict, sorted(decision.arms), found.version]\n"
        "with connected(settings().absolute_home): print(json.dumps(mine()))",
    )
    outcome, version, decision, verdict, arms, found = json.loads(out.splitlines()[-1])
    assert (outcome, version, found) == ("Outcome", 1, 1)
    assert (decision, verdict, arms) == ("Decision", "inconclusive", ["long", "short"])


@pytest.mark.slow
def test_a_notebook_has_a_running_event_loop(project: Office) -> None:
    out = python(
        project,
        "import asyncio, json\nfrom llmops import index\n"
        "async def cell():\n"
        "    return index('kb.yaml').status, index('kb.yaml').status\n"
        "print(json.dumps(asyncio.run(cell())))",
    )
    assert json.loads(out.splitlines()[-1]) == ["published", "unchanged"]


@pytest.mark.slow
def test_a_worker_gives_the_flow_a_path_and_a_home(project: Office) -> None:
    """As Prefect starts a run of a deployment: plain parameters, an entry point, a process."""
    out = python(
        project,
        "import json\nfrom prefect.flow_engine import run_flow\n"
        "from prefect.flows import load_flow_from_entrypoint\n"
        "from llmops.flows.calling import connected\nfrom pathlib import Path\n"
        "flow = load_flow_from_entrypoint('llmops.flows.index:index', use_placeholder_flow=False)\n"
        f"home = {str(project.home)!r}\n"
        "with connected(Path(home)):\n"
        "    given = flow.validate_parameters({'config': 'kb.yaml', 'home': home})\n"
        "    state = run_flow(flow, parameters=given, return_type='state')\n"
        "print(json.dumps([state.name, flow.name]))",
    )
    assert json.loads(out.splitlines()[-1]) == ["Completed", "index"]


def test_importing_the_package_is_cheap_and_knows_its_flows() -> None:
    code = (
        "import sys, llmops\nprint([name for name in ('prefect', 'pandas', 'pydantic')"
        " if name in sys.modules], 'index' in dir(llmops), 'evaluate' in dir(llmops))\n"
        "try: llmops.nothing\nexcept AttributeError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert done.stdout == "[] True True\nmodule 'llmops' has no attribute 'nothing'\n", done.stderr
