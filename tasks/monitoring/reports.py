"""The reports of a home: the newest of each application, and beside each what it was made of, so
that programs can read it and deletions find whom it quotes.
"""

from pathlib import Path

from llmops.tasks.errors import LlmopsError, disk_trouble
from llmops.tasks.lake import write_atomically
from llmops.tasks.monitoring.figures import Monitored
from llmops.tasks.traces.monitored import forget_report, report_folder

KEPT = 60
"""Reports of an application: more than a year of weekly looks."""


def write_report(home: Path, monitored: Monitored, html: str) -> Path:
    """The file of the report, named after the end of its window; the same look again takes its
    place. Raises LlmopsError where it cannot be written.
    """
    file = report_folder(home, monitored.app) / f"{stem(monitored)}.html"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        # first what says whom it quotes
        write_atomically(file.with_suffix(".json"), monitored.model_dump_json().encode())
        write_atomically(file, html.encode("utf-8", "replace"))
    except OSError as error:
        raise disk_trouble(error) or LlmopsError(
            f"the report cannot be written: {error.strerror}", where=str(file)
        ) from error
    for old in sorted(file.parent.glob("*.html"))[:-KEPT]:
        if old != file:
            forget_report(old)
    return file


def stem(monitored: Monitored) -> str:
    """What a look is called wherever its files lie: `2026-11-30T0600`."""
    return f"{monitored.until:%Y-%m-%dT%H%M}"
