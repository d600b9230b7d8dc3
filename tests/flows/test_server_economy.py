"""The garbage of a server's start is freed once, when nobody waits for the server; integrations of
Prefect's that are installed are not imported for their types of blocks.
"""

import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from llmops.flows import server

GARBAGE = """
import gc, weakref
from llmops.flows.server import economy
class Node:
    pass
def garbage():
    node = Node()
    node.itself = node
    return weakref.ref(node)
economy.during_imports()
node = garbage()
economy.after_start()
gc.collect()
print(node() is not None, gc.isenabled())
print(economy.tidy(9, 299), node() is not None)
print(economy.tidy(%s), node() is None, gc.get_freeze_count() > 1000)
"""


def test_it_is_freed_when_the_server_is_idle_and_in_the_end_also_when_it_is_not() -> None:
    for late in ("10, 11", "0, 300"):
        said = subprocess.check_output([sys.executable, "-c", GARBAGE % late], text=True)
        assert said.split() == ["True", "True", "False", "True", "True", "True", "True"]


INTEGRATIONS = """
import logging, sys
from llmops.flows.server import economy
class Short(logging.Formatter):
    def formatException(self, info):
        return ""
logging.basicConfig(stream=sys.stdout)
logging.root.handlers[0].setFormatter(Short("%(levelname)s %(message)s"))
economy.fewer_integrations()
from prefect import plugins
from prefect.blocks import core
logging.getLogger("prefect").propagate = True
print(sorted(plugins.load_prefect_collections()))
print([name in sys.modules for name in ("prefect_kubernetes", "prefect_dask", "own_blocks")])
print(core.load_prefect_collections is plugins.load_prefect_collections)
"""


def integration(folder: Path, name: str, text: str) -> None:
    """A package that has registered itself with Prefect."""
    information = folder / f"{name}-1.dist-info"
    information.mkdir(parents=True)
    (information / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n")
    (information / "entry_points.txt").write_text(f"[prefect.collections]\n{name} = {name}\n")
    (folder / f"{name}.py").write_text(text)


@pytest.mark.slow
def test_a_server_imports_the_integrations_of_others_alone_and_says_which_is_broken(
    tmp_path: Path,
) -> None:
    integration(tmp_path, "own_blocks", "")
    integration(tmp_path, "broken_blocks", "raise ValueError('broken')")
    integration(tmp_path, "ending_blocks", "raise SystemExit(3)")
    environment = os.environ | {"PYTHONPATH": str(tmp_path), "PREFECT_HOME": str(tmp_path)}
    said = subprocess.check_output(
        [sys.executable, "-c", INTEGRATIONS], env=environment, text=True
    ).splitlines()
    told = [line for line in said if line.startswith("WARNING")]
    assert sorted(told) == [
        "WARNING the integration broken_blocks cannot be imported: ValueError('broken')",
        "WARNING the integration ending_blocks cannot be imported: SystemExit(3)",
    ]
    assert said[len(told) :] == [
        "['broken_blocks', 'ending_blocks', 'own_blocks']",
        "[False, False, True]",
        "False",  # a block that is used is looked for in all of them
    ]


@pytest.mark.slow
def test_the_types_of_blocks_of_integrations_are_there_all_the_same(prefect_server: Path) -> None:
    url = server.ensure(prefect_server).url
    found = httpx.post(f"{url}/block_types/filter", json={"limit": 200}, timeout=30).json()
    assert {"secret", "slack-webhook", "kubernetes-cluster-config", "docker-host"} <= {
        each["slug"] for each in found
    }
