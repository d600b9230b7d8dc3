"""Workers on other machines: they must see what the machine of the run sees, and a run finds out
before it pays for anything.
"""

import sys
from collections.abc import Callable
from functools import partial
from importlib.metadata import version

from pydantic import BaseModel, ConfigDict, ValidationError

from llmops.tasks.errors import LlmopsError, Unavailable
from llmops.tasks.knowledge.build import Build
from llmops.tasks.ledger.leases import Lease, holder
from llmops.tasks.plugins.sources import Source

NEEDS = (
    "workers need this release, the same LLMOPS_* variables and secrets, a ledger on PostgreSQL "
    "and a lake on a shared storage, and the config's folder: docs/scale.md"
)


class Meeting(BaseModel):
    """What a worker is asked to look for: the file of the lake that says who builds, and the same
    in the ledger.
    """

    model_config = ConfigDict(frozen=True)
    build: Build
    release: str
    python: str
    file: str
    holder: str


def check(build: Build, lease: Lease) -> Callable[[], str]:
    """Write down who builds here; returns what a worker is to be asked: why it cannot take part."""
    meeting = Meeting(
        build=build,
        release=_release(),
        python=_python(),
        file=f"{build.folder}/workers.txt",
        holder=holder(build.ledger, build.kb) or lease.owner,
    )
    build.lake.write(meeting.file, meeting.holder.encode())
    return partial(trouble, meeting)


def trouble(meeting: Meeting) -> str:
    """Why this worker cannot work for a build; empty when it can."""
    try:
        return _difference(meeting) or _unusable(meeting.build)
    except LlmopsError as error:
        return str(error)
    except ValidationError as error:
        return f"a plugin there does not know an option: {error.errors()[0]['msg']}"


def _difference(meeting: Meeting) -> str:
    build, here = meeting.build, (_release(), _python())
    if here != (meeting.release, meeting.python):
        return (
            f"llmops {here[0]} on Python {here[1]} runs there, "
            f"{meeting.release} on {meeting.python} here"
        )
    if (held := holder(build.ledger, build.kb)) != meeting.holder:
        return (
            f"the ledger there ({build.ledger.where}) is another one: "
            f"it knows of {held or 'no build'}"
        )
    try:
        said = build.lake.read(meeting.file).decode()
    except FileNotFoundError:
        said = ""
    return "" if said == meeting.holder else f"the lake there ({build.lake.where()}) is another one"


def _unusable(build: Build) -> str:
    """Building the plugins finds libraries and secrets that are missing."""
    specs = build.specs
    if specs.suite is not None and not specs.suite.is_file():
        return f"no such file there: {specs.suite}"
    specs.cleaners(), specs.chunker(), specs.embedder()
    for spec in specs.sources:
        spec.build(Source).at(specs.folder).check()
    return ""


def refuse(worker: str, trouble: str) -> Unavailable:
    """What the user is told of a worker that cannot work."""
    return Unavailable(f"the worker {worker} cannot take part: {trouble}", hint=NEEDS)


def _release() -> str:
    return version("llmops-pipelines")


def _python() -> str:
    return f"{sys.version_info.major}.{sys.version_info.minor}"
