"""A build with processes beside it: the same version, and nothing left running."""

import os
from importlib import import_module

import psutil
import pytest

from llmops.tasks import processes
from llmops.tasks.processes import Processes
from tests.flows.test_incremental import prose
from tests.laboratory import Laboratory
from tests.test_processes import ready

pytestmark = pytest.mark.slow


def test_a_version_is_the_same(lab: Laboratory, monkeypatch: pytest.MonkeyPatch) -> None:
    for number in range(60):
        lab.write(f"d{number}.md", f"# Part {number}\n\n{prose(number, 30)}")
    here = lab.build(embed="hash")
    made, ran = Processes(2), list[int]()
    ready(made)
    monkeypatch.setattr(import_module("llmops.flows.index"), "MANY", 1)
    for name in ("beside", "spread", "allow"):
        monkeypatch.setattr(processes, name, getattr(made, name))

    def run(function, *arguments):  # type: ignore[no-untyped-def]
        answer = made.run(function, *arguments)
        ran.append(made.run(os.getpid))
        return answer

    monkeypatch.setattr(processes, "run", run)
    try:
        there = lab.build(embed="hash", full=True)
        assert {*ran} - {os.getpid()}, "every call was answered here"
    finally:
        made.close()
    assert there.documents["total"] == here.documents["total"] == 60
    assert there.chunks["total"] == here.chunks["total"] > 60
    assert there.chunks["added"] == there.chunks["retired"] == 0
    assert lab.verified()
    alive = psutil.Process().children(recursive=True)
    assert [each for each in alive if each.pid in ran] == []
