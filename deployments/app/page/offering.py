"""A knowledge base that is live, and that the application does not answer from: the change of the
application's config that names it there.
"""

from collections.abc import Sequence
from difflib import unified_diff
from typing import NamedTuple

from llmops.configs.reading import named_in, read_mapping
from llmops.configs.serve import ServeConfig
from llmops.configs.writing import rewritten
from llmops.deployments.app.page.saving import changed_file
from llmops.deployments.app.page.workplace import Workplace
from llmops.deployments.project import Project
from llmops.tasks.errors import LlmopsError, UsageError
from llmops.tasks.knowledge.handle import Handle
from llmops.tasks.knowledge.reading import allowed

KEY = "knowledge_bases"


class BaseOffer(NamedTuple):
    """`file`: the application's config; `waits`: it names the knowledge base, and the application
    has not read it since; else `text` is what it would say, `lines` the lines that go (`-`) and
    come (`+`), `lost` comments that are not in it any more, `digest` tells whether somebody has
    changed it since.
    """

    file: str
    waits: bool
    text: str = ""
    lines: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()
    digest: str = ""


def offer(place: Workplace, config: ServeConfig, kb: str) -> BaseOffer | None:
    """None where the application answers from it, nothing of it is live, it has no metadata that
    the application asks for, or nobody knows which file is the application's.
    """
    file = None if kb in config.knowledge_bases else _file(place, config.app)
    live = Handle(home=place.home, name=kb).live()
    if file is None or live is None:
        return None
    try:
        allowed(live, config.retrieve.where, ())
        text = place.read(file)
        bases = text.content.get(KEY)
        if not isinstance(bases, Sequence) or isinstance(bases, str):
            return None
        if kb in bases:
            return BaseOffer(file, waits=True)
        content = {**text.content, KEY: [*bases, kb]}
        read_mapping({**content, "folder": str((place.folder / file).parent)}, ServeConfig)
    except LlmopsError:  # a config that is wrong already is not changed from here
        return None
    result = rewritten(text.text, content, ServeConfig)
    lines = unified_diff(text.text.splitlines(), result.text.splitlines(), lineterm="", n=0)
    shown = tuple(each for each in lines if not each.startswith(("---", "+++", "@@")))
    return BaseOffer(file, False, result.text, shown, result.lost, text.digest)


def taken(place: Workplace, config: ServeConfig, kb: str, before: str) -> None:
    """Write it. `before`: the digest of the file as it was shown. Raises UsageError where somebody
    has changed it since, it cannot be written, or there is nothing to write.
    """
    made = offer(place, config, kb)
    if made is None or made.waits:
        raise UsageError("there is nothing to change", where=kb)
    changed_file(place, made.file, made.text, before)


def _file(place: Workplace, app: str) -> str | None:
    files = Project(place.folder, place.home, "page").files()
    own = [path for path in files if named_in(path) == ("serve", app)]
    return own[0].relative_to(place.folder).as_posix() if len(own) == 1 else None
