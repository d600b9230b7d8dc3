"""The garbage of a server's start is freed once, when nobody waits for the server."""

import subprocess
import sys

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
