"""What the tests of the source `web` share: a quick, bold source for a site on this machine, and
short forms of its listings.
"""

from pathlib import Path
from typing import Any

from llmops.tasks.plugins.sources import Listing
from llmops.tasks.plugins.sources.web import WebSource
from tests.plugins.sources.site import Site


def web(site: Site, tmp_path: Path | None = None, **options: Any) -> WebSource:
    own: dict[str, Any] = {
        "start": [site.url],
        "allow_private": True,
        "delay": 0,
        "backoff": 0.005,
        "timeout": 0.4,
        "deadline": 0.8,
    }
    source = WebSource(
        **{key: value for key, value in (own | options).items() if value is not None}
    )
    return source.remembering(tmp_path / "memory") if tmp_path else source


def paths(site: Site, listing: Listing) -> list[str]:
    return [item.uri.removeprefix(site.url) for item in listing.items]


def problems(site: Site, listing: Listing) -> dict[str, str]:
    return {problem.uri.removeprefix(site.url): problem.reason for problem in listing.problems}
