"""After a run by hand a config with a schedule says what runs it."""

import pytest

from llmops.configs.index import IndexConfig
from llmops.configs.reading import read_mapping
from tests.commandline import Office, llmops

pytestmark = pytest.mark.slow


def test_who_runs_a_deployment() -> None:
    from llmops.flows.scheduled import by_whom

    assert by_whom("p", active=True, ready=True) == "a worker of the pool p runs it"
    assert "no worker of its pool p is there: `llmops up`" in by_whom("p", active=True, ready=False)
    assert "paused" in by_whom("p", active=False, ready=True)


def test_a_build_by_hand_says_that_nothing_runs_its_schedule_yet(office: Office) -> None:
    (office.folder / "docs").mkdir(exist_ok=True)
    (office.folder / "docs" / "a.md").write_text("# Password\n\nPress reset.")
    file = office.folder / "kb.yaml"
    file.write_text(
        f"flow: index\nknowledge_base: {office.kb}\nsources: [{{name: files, path: ./docs}}]\n"
        'embed: hash\nschedule: {cron: "0 3 * * *", timezone: Europe/Berlin}\n'
    )
    built = llmops("index", file)
    wanted = "  schedule    0 3 * * * Europe/Berlin: nothing runs it yet: `llmops up` runs"
    assert wanted in built.out, built.out + built.err
    assert "`llmops up`" in llmops("index", file, "--json").data["scheduled"]


def test_what_has_no_schedule_asks_nobody() -> None:
    from llmops.flows.scheduled import scheduled

    plain = {"knowledge_base": "handbook", "sources": [{"name": "topics"}], "embed": "hash"}
    assert scheduled(read_mapping(plain, IndexConfig)) == ""
