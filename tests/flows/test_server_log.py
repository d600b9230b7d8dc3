"""What of a server's log is worth a warning of the run."""

from pathlib import Path

import pytest

from llmops.flows.server.state import log_errors

TRACE = """Traceback (most recent call last):
  File "aiosqlite/cursor.py", line 40, in execute
sqlite3.OperationalError: database is locked

The above exception was the direct cause of the following exception:

Traceback (most recent call last):
  File "prefect/server/services/task_run_recorder.py", line 640, in flush
sqlalchemy.exc.OperationalError: (sqlite3.OperationalError) database is locked
[SQL: INSERT INTO task_run_state (id) VALUES (:id)]
"""
RECORDER = "prefect.server.services.task_run_recorder"


@pytest.mark.parametrize(
    ("entry", "all_errors", "warnings"),
    [
        (f"ERROR   | {RECORDER} - Error flushing 7 events (7 to retry, 0 dropped)\n{TRACE}", 1, 0),
        (f"ERROR   | {RECORDER} - Error flushing 7 events (5 to retry, 2 dropped)\n{TRACE}", 1, 1),
        (f"ERROR   | {RECORDER} - Max flush retries (5) reached, dropping 9 events\n{TRACE}", 1, 1),
        (
            "ERROR   | prefect.server.events - Error during periodic flush; continuing\n" + TRACE,
            1,
            0,
        ),
        (f"ERROR   | {RECORDER} - Dropping event 4711 after 5 failed attempts\n", 1, 1),
        ("ERROR   | prefect.server - Error\nsqlite3.OperationalError: disk I/O error\n", 1, 1),
        ("WARNING | prefect.server - database is locked\n", 0, 0),
    ],
)
def test_what_was_put_off_and_kept_is_no_warning_and_what_was_lost_is(
    tmp_path: Path, entry: str, all_errors: int, warnings: int
) -> None:
    (tmp_path / "prefect").mkdir()
    (tmp_path / "prefect" / "server.log").write_text(f"2026-11-29 08:00:00 | {entry}")
    assert len(log_errors(tmp_path)) == all_errors
    assert len(log_errors(tmp_path, tried_again=False)) == warnings
