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


IMPORTED = """
from pydantic import BaseModel, ValidationError
from llmops.tasks.plugins.stores.lancedb.library import import_lancedb
import_lancedb()
from lance_namespace_urllib3_client.models import ListTablesRequest as Request
from lancedb.db import DBConnection
print(Request.__pydantic_complete__, type(DBConnection).__name__)
class Later(BaseModel):
    number: int
print(BaseModel.model_config, Later.__pydantic_complete__)
print(Request(limit=3).limit, Request.__pydantic_complete__)
try:
    Request(limit="many")
except ValidationError as error:
    print(error.error_count())
"""


@pytest.mark.slow
def test_data_classes_are_finished_when_they_are_used_and_methods_are_not_compared() -> None:
    words = [sys.executable, "-c", IMPORTED]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    lines = ["False type", "{} True", "3 True", "1"]
    assert run.stdout.splitlines() == lines, run.stderr


COMPARED = """
from llmops.tasks.plugins.stores.lancedb.library import import_lancedb
import_lancedb()
import overrides
class Base:
    pass
try:
    class Other(Base):
        @overrides.override
        def unsaid(self) -> int: ...
except TypeError:
    print("compared", overrides.EnforceOverrides.__name__)
"""


@pytest.mark.slow
def test_who_else_wants_methods_compared_has_them_compared() -> None:
    pytest.importorskip("overrides")
    words = [sys.executable, "-c", COMPARED]
    run = subprocess.run(words, capture_output=True, text=True, check=False)
    assert run.stdout.splitlines() == ["compared EnforceOverrides"], run.stderr
