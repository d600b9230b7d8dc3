"""What git holds."""

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent


def test_git_holds_no_data_but_pictures_and_fixtures() -> None:
    """A database that a library made where somebody stood was committed once."""
    if not (ROOT / ".git").exists():
        pytest.skip("no checkout")
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True
    )
    tracked = [ROOT / each for each in listed.stdout.split("\0") if each]
    elsewhere = [
        path.relative_to(ROOT).as_posix()
        for path in tracked
        if not path.relative_to(ROOT).as_posix().startswith(("docs/pictures/", "tests/fixtures/"))
        and path.is_file()
        and b"\0" in path.read_bytes()[:8_000]
    ]
    assert elsewhere == []


def test_the_house_says_nothing_of_the_machines_that_it_was_built_on() -> None:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False)
    listed = listing.stdout.decode().split("\0")
    if listed == [""]:
        pytest.skip("not a git checkout")
    hosts = "|".join(["python" + "hosted", "py" + r"pi\.org", "npm" + r"js\.org"])
    pattern = re.compile(rf"(?<![\w.])/(?:work|root)/[\w.]|{hosts}")
    files = [each for each in listed if each and (ROOT / each).is_file()]
    texts = {each: (ROOT / each).read_text(errors="ignore") for each in files}
    assert {each: seen[0] for each, text in texts.items() if (seen := pattern.search(text))} == {}
