"""docs/python.md, as somebody types it into a notebook."""

import json
import re
from pathlib import Path

import pytest

from tests import forks
from tests.commandline import Office, environment

PAGE = (Path(__file__).parents[2] / "docs" / "python.md").read_text()
CELLS = re.findall(r"```python\n(.*?)```", PAGE, re.DOTALL)
TOLD = """
import json
print(json.dumps({
    "now": now.model_dump(mode="json"), "then": then.model_dump(mode="json"),
    "documents": [each.uri for each in kb.documents()],
    "all": len(kb.documents(restricted=True)),
    "staff": kb.search("when are salaries paid", labels={"staff"})[0].uri,
    "public": sorted({each.uri for each in kb.search("when are salaries paid", 50)}),
    "explained": [told.uri, [each.version for each in told.versions]],
    "refreshed": refresh(),
    "nodes": [[node.metadata["uri"], node.metadata["version"]] for node in nodes][:1],
    "langchain": [each.metadata["uri"] for each in documents],
    "haystack": found[0].meta["uri"],
    "chunks": [each.metadata["headings"] for each in chunks],
    "vector": len(vector),
}))
"""


@pytest.mark.slow
def test_the_cells_run_one_after_the_other_and_say_what_the_page_says(office: Office) -> None:
    """With the tests' own Prefect server, and a knowledge base of this test's own name."""
    code = "\n".join(CELLS).replace('"handbook"', f'"{office.kb}"') + TOLD
    plain = {**environment(office.home), "PREFECT_LOGGING_LEVEL": "CRITICAL"}
    plain |= {"HAYSTACK_TELEMETRY_ENABLED": "False"}
    process = forks.start("-c", code, environment=plain, cwd=office.folder)
    out, err = process.communicate(timeout=300)
    assert process.wait() == 0, err
    lines = out.splitlines()
    assert "published 1 3" in lines
    assert "['login.md', 'travel.md']" in lines
    assert "['travel.md']" in lines
    said = json.loads(lines[-1])
    assert (said["now"]["version"], said["then"]["version"]) == (2, 1)
    assert said["now"]["text"].endswith("It takes an hour.")
    assert said["then"]["text"].endswith("It takes a minute.")
    assert said["documents"] == said["public"] == ["login.md", "travel.md"]
    assert (said["all"], said["staff"]) == (3, "salaries.md")
    assert said["explained"] == ["login.md", [2]]
    assert said["refreshed"] == ["unchanged", 2]
    assert said["nodes"] == [["salaries.md", 2]]
    assert said["langchain"] == ["travel.md"]
    assert said["haystack"] == "travel.md"
    assert said["chunks"] == ["Travel"]
    assert said["vector"] == 384


def test_the_page_names_every_public_name() -> None:
    import llmops

    assert [name for name in llmops.__all__ if f"`{name}" not in PAGE] == []
    assert len(CELLS) > 8
