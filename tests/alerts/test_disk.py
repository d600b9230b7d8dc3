"""Room on the disk of the home."""

import os
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from llmops.tasks.alerts.disk import Room, disk_observation, low_room
from llmops.tasks.ledger import close_ledgers
from tests.deployments.alerting.houses import MIDNIGHT, Watchman

HOME = Path("/srv/home")
GB = 1e9
NOW = datetime.now(UTC)


@pytest.mark.parametrize(
    ("free", "size", "severity"),
    [
        (2.1, 4000, None),
        (1.9, 4000, "warning"),
        (0.19, 4000, "critical"),
        (0.6, 10, None),
        (0.4, 10, "warning"),
        (0.04, 10, "critical"),
    ],
)
def test_two_gigabytes_are_wanted_or_a_share_of_a_small_disk(
    free: float, size: float, severity: str | None
) -> None:
    low = low_room(HOME, Room(free * GB, size * GB, 10**6, 10**7))
    assert (low.severity if low else None) == severity


def test_a_disk_that_takes_no_more_files_is_full() -> None:
    low = low_room(HOME, Room(500 * GB, 4000 * GB, 90_000, 10**7))
    assert low is not None
    assert (low.key, low.severity) == ("disk-low/home", "warning")
    assert "90,000 files more fit on it" in low.message
    assert low_room(HOME, Room(500 * GB, 4000 * GB, 0, 0)) is None  # it does not count them


def test_a_home_that_is_not_there_yet_is_on_the_disk_of_its_folder(tmp_path: Path) -> None:
    found = disk_observation(tmp_path / "a" / "b", NOW)
    assert found == disk_observation(tmp_path, NOW).model_copy(
        update={"conditions": found.conditions}
    )
    assert found.unknown == ()


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """A disk of 16 MB."""
    place = tmp_path / "small"
    place.mkdir()
    words = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(place)]
    try:
        made = subprocess.run(words, capture_output=True, check=False).returncode == 0
    except OSError:
        made = False
    if not made:
        pytest.skip("nobody may mount a disk here: only root does")
    yield place
    close_ledgers()
    subprocess.run(["umount", "-l", str(place)], check=True)


def fill(place: Path) -> None:
    """To the last byte."""
    with (place / "ballast").open("wb", buffering=0) as ballast:
        while True:
            ballast.write(os.urandom(4096))


@pytest.mark.slow
def test_a_disk_that_is_full_to_the_last_byte_is_told_once_and_is_over_when_there_is_room(
    small: Path,
) -> None:
    """The ledger is on it, too, and takes nothing: people are told past it."""
    watchman = Watchman(small / "home", MIDNIGHT)
    watchman.look(3)
    assert watchman.told == []
    with pytest.raises(OSError, match="No space left"):
        fill(small)
    assert os.statvfs(small).f_bavail == 0
    watchman.look(5)
    ((kind, key),) = watchman.told
    assert (kind, key) == ("fired", "ledger-down/desk")
    assert "no space is left for the ledger" in watchman.sender.notices[0].message
    (small / "ballast").unlink()
    watchman.look(5)
    assert watchman.told == [("fired", key), ("resolved", key)]
