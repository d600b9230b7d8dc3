"""How the page calls a prompt: by words, and never by the address of a draft."""

import re
from collections.abc import Iterable

from llmops.deployments.app.page.texts import PageTexts

DRAFT = re.compile(r"draft:(?P<name>.+)@[0-9a-f]+")
VERSION = re.compile(r"prompts:/(?P<name>[^/@]+)/(?P<number>\d+)")


def shown_prompt(t: PageTexts, uri: str) -> str:
    """Of a draft or a version its name; a file is called by its path."""
    if draft := DRAFT.fullmatch(uri):
        return t("compare.a_draft", prompt=draft["name"])
    if version := VERSION.fullmatch(uri):
        return t("compare.version_of", prompt=version["name"], number=int(version["number"]))
    return uri


def told_apart(t: PageTexts, uris: Iterable[str]) -> dict[str, str]:
    """The names of several prompts; drafts of one prompt are numbered as they come."""
    found: dict[str, str] = {}
    seen: dict[str, int] = {}
    for uri in dict.fromkeys(uris):
        name = shown_prompt(t, uri)
        seen[name] = seen.get(name, 0) + 1
        found[uri] = name if seen[name] == 1 else f"{name} ({t.digits(seen[name])})"
    return found
