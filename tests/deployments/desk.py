"""A project of one scheduled config, and what `status` has to say of it."""

from typing import Any

INDEX = """
flow: index
knowledge_base: handbook
sources: [{name: files, path: docs}]
embed: hash
schedule: {cron: "0 3 * * *", timezone: Europe/Berlin}
"""


def kinds(found: Any) -> list[tuple[str, str]]:
    return [(alert["kind"], alert["about"]) for alert in found["alerts"]]
