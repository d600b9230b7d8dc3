"""What each command imports: what it does not use costs every user of it time."""

import json
import subprocess
import sys

import pytest

from tests.commandline import ROOT, Office, environment
from tests.test_imports import HEAVY

pytestmark = pytest.mark.slow

WATCHED = (*HEAVY, "asyncio", "httpx", "ruamel", "rich", "py3langid", "fastapi.applications")
SHOWN = {"pydantic", "sqlalchemy", "asyncio", "rich"}
"""Of whatever asks the ledger and shows people what it says; asyncio comes with SQLAlchemy."""
ARROW = {"numpy", "pyarrow"}
STORED = {*ARROW, "pandas", "lancedb"}
"""Of whatever opens a knowledge base in LanceDB, which cannot be without the other three."""
READ = {*SHOWN, *ARROW, "pandas", "ruamel"}
"""Of whatever reads a config that builds."""
IMPORTED: dict[str, set[str]] = {
    "--help": set(),
    "kb list": SHOWN,
    "kb status KB": SHOWN,
    "kb documents KB": SHOWN,
    "cost": SHOWN,
    "audit list": SHOWN,
    "keys list": {*SHOWN, "ruamel"},
    "quarantine list": {*SHOWN, *ARROW},
    "decision list": {*SHOWN, *ARROW, "ruamel"},
    "search lighthouse --kb KB --mode text": {*SHOWN, *STORED},
    "search lighthouse --kb KB": {*SHOWN, *STORED},
    "kb verify KB": {*SHOWN, *STORED, "ruamel"},
    "check CONFIG": READ,
    "status": READ,
    "index CONFIG --plan": {*READ, *STORED},
    "index CONFIG": {*READ, *STORED, "prefect", "fastapi", "httpx"},
}
RUN = f"""
import json, sys
from llmops.flows import console
from llmops.flows.cli import app
code = console.main(app)
print(json.dumps([code, sorted(name for name in {WATCHED!r} if name in sys.modules)]))
"""


def imported(office: Office, words: str) -> set[str]:
    """Of the libraries that are watched, what a command imports."""
    known = {"KB": office.kb, "CONFIG": str(office.config())}
    line = [sys.executable, "-c", RUN, *(known.get(word, word) for word in words.split())]
    here = environment(office.home)
    run = subprocess.run(
        line, cwd=ROOT, env=here, capture_output=True, text=True, check=False, timeout=120
    )
    assert run.stdout, run.stderr
    code, names = json.loads(run.stdout.splitlines()[-1])
    assert code == 0, (words, run.stdout, run.stderr)
    return set(names)


def test_a_command_imports_what_it_uses(office: Office) -> None:
    for number in range(3):
        office.write(f"d{number}.txt", f"The keeper of lighthouse {number} lights the lamp.")
    assert office.build().status == "published"
    assert {words: imported(office, words) for words in IMPORTED} == IMPORTED
