"""All tables of the ledger, also those that nothing has imported yet."""

import subprocess
import sys
from pathlib import Path

from sqlalchemy import inspect

from llmops.tasks.ledger import open_ledger


def test_whatever_copies_the_ledger_sees_every_table(tmp_path: Path) -> None:
    program = (
        "from llmops.tasks.ledger.whole import every_table; "
        "print(*(table.name for table in every_table()))"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    with open_ledger(tmp_path).read() as connection:
        there = set(inspect(connection).get_table_names())
    assert set(done.stdout.split()) == there - {"llmops_version"}
