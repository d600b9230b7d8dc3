"""What a monitor keeps of what people said, and how that goes when they are deleted."""

from pathlib import Path

WORKING, REPORTS = "monitor", "reports/monitor"


def working_folder(home: Path, app: str) -> Path:
    """Where a monitor of an application keeps what it could make again: vectors, and while it runs,
    texts.
    """
    return home / WORKING / app


def report_folder(home: Path, app: str) -> Path:
    """Where its reports lie: of each an HTML file, and beside it the JSON that it was made of."""
    return home / REPORTS / app


def forget_report(file: Path) -> None:
    """Remove a report with what lies beside it."""
    for each in (file.with_suffix(".html"), file.with_suffix(".json")):
        each.unlink(missing_ok=True)
