"""LanceDB without its REST client, and that client when somebody asks for it."""

import subprocess
import sys
from pathlib import Path

import pytest

OPENED = """
import sys
from pathlib import Path
from llmops.tasks.plugins.stores.lancedb import LanceDBStore
LanceDBStore().open("one", 4, Path(sys.argv[1]))
assert "lance_namespace_urllib3_client.models.query_table_request" in sys.modules
print(sorted(each for each in sys.modules if each.endswith("_api")))
import lance_namespace_urllib3_client as client
print(client.TableApi.__name__, client.__version__ != "", type(client).__name__)
from lance_namespace_urllib3_client import ApiClient
from lance_namespace_urllib3_client.api.table_api import TableApi
print(TableApi is client.TableApi, ApiClient.__module__, hasattr(client, "NoSuchName"))
"""


@pytest.mark.slow
def test_the_rest_client_is_built_when_it_is_asked_for(tmp_path: Path) -> None:
    words = [sys.executable, "-c", OPENED, str(tmp_path)]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == [
        "[]",
        "TableApi True module",
        "True lance_namespace_urllib3_client.api_client False",
    ], run.stderr
