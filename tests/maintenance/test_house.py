"""The work of a night on the home: what is needed stays, what is not goes, a part that fails stops
no other.
"""

import os
import time
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import insert

from llmops.configs import read_mapping
from llmops.configs.maintain import MaintainConfig
from llmops.tasks.errors import ConfigError
from llmops.tasks.knowledge.versions import rollback
from llmops.tasks.ledger import now
from llmops.tasks.ledger.leases import hold
from llmops.tasks.ledger.tables import runs
from llmops.tasks.maintenance.backup.vault import Vault
from llmops.tasks.maintenance.house import (
    WORK,
    MaintainPart,
    back_up,
    bases,
    forget,
    free,
    maintain_outcome,
)
from llmops.tasks.maintenance.retention.policy import RetentionPolicy
from llmops.tasks.validation.docs import write_docs
from llmops.tasks.validation.verdict import ValidationVerdict
from tests.workshop import TEXTS, Workshop


@pytest.fixture
def shop(lance_shop: Workshop) -> Workshop:
    lance_shop.build(TEXTS)
    return lance_shop


def aged(folder: Path) -> None:
    for path in folder.rglob("*"):
        os.utime(path, (time.time() - 200 * 86_400,) * 2)


def night(shop: Workshop, number: int, keep: int = 2) -> None:
    texts = TEXTS | {"d0.txt": f"In night {number} a boat of harbour {number} lit its lamps."}
    shop.build(texts, keep=keep)
    aged(shop.home / "lake")
    assert free(shop.home, shop.kb, paid=True).status == "done"


def size(home: Path) -> int:
    return sum(path.stat().st_size for path in home.rglob("*") if path.is_file())


def test_what_a_kept_version_needs_stays(shop: Workshop) -> None:
    for number in range(4):
        night(shop, number)
    rows, kept = shop.rows(), [n for n, status in shop.statuses().items() if status == "published"]
    assert kept == [4, 5]
    assert shop.sound()
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 4)
    assert shop.sound()
    with hold(shop.home, shop.kb) as lease:
        rollback(shop.handle, lease, 5)
    assert shop.rows() == rows


@pytest.mark.slow
def test_forty_nights_stay_as_large_as_a_few_make_them(shop: Workshop) -> None:
    sizes = []
    for number in range(40):
        night(shop, number)
        sizes.append(size(shop.home))
    assert max(sizes[25:]) < 1.25 * max(sizes[5:15])
    assert shop.sound()


def test_one_that_is_built_is_left_to_the_next_night(shop: Workshop) -> None:
    assert bases(shop.home) == ["shop"]
    with shop.handle.hold():
        part = free(shop.home, "shop", paid=False)
    assert (part.status, part.bytes) == ("busy", 0)
    assert "another build of 'shop' is running" in part.told


def test_old_outcomes_go_but_the_last_of_each_and_those_of_kept_versions(shop: Workshop) -> None:
    old = now() - timedelta(days=100)
    shop.recorded(prefect_run_id="made-it")
    given = [
        ("made-it", "shop", "index", old),
        ("gone", "shop", "index", old),
        ("newer", "shop", "index", now()),
        ("last", "desk", "evaluate", old),
        ("before-last", "desk", "evaluate", old - timedelta(days=1)),
        ("scored", "desk", "score", old),
    ]
    with shop.ledger.write() as connection:
        rows = [
            {"id": key, "kb": kb, "outcome": {"flow": flow}, "finished_at": at}
            for key, kb, flow, at in given
        ]
        connection.execute(insert(runs), rows)
    part = forget(shop.home, "outcomes", RetentionPolicy(outcomes_days=90))
    with shop.ledger.read() as connection:
        left = {row.id for row in connection.execute(runs.select())}
    assert (part.status, part.told) == ("done", "2 outcomes of runs, 0 pages of Data Docs")
    assert left == {"made-it", "newer", "last", "scored"}


def test_old_pages_go_but_those_of_kept_versions(shop: Workshop) -> None:
    for name in ("shop-v1-aa", "shop-v11-bb", "gone-v1-cc"):
        write_docs(shop.home, name, [ValidationVerdict(kind="chunks", rows=1)])
    aged(shop.home / "docs")
    write_docs(shop.home, "new-v1-dd", [])
    part = forget(shop.home, "outcomes", RetentionPolicy(outcomes_days=90))
    folder = shop.home / "docs"
    assert part.told.endswith("2 pages of Data Docs")
    assert part.bytes > 0
    assert sorted(page.name.split("-")[0] for page in folder.glob("*-*.html")) == ["new", "shop"]
    assert [*folder.glob("shop-v1-*.html")]
    index = (folder / "index.html").read_text()
    assert ("shop-v1-" in index, "shop-v11-" in index, "gone-v1-" in index) == (True, False, False)


def test_a_backup_that_cannot_be_made_is_told_and_stops_nothing(
    shop: Workshop, tmp_path: Path
) -> None:
    (tmp_path / "file").write_text("in the way")
    good = back_up(shop.home, str(tmp_path / "vault"), 3)
    assert (good.status, good.bytes > 0, len(Vault(str(tmp_path / "vault")).ids())) == (
        ("done", True, 1)
    )
    table = next((shop.home / "lancedb").glob("*.lance"))
    for path in (table / "data").iterdir():
        path.unlink()
    damaged = back_up(shop.home, str(tmp_path / "vault"), 3)
    assert damaged.status == "failed"
    assert "is of a damaged home" in damaged.told
    outcome = maintain_outcome(shop.home, "house", [good, damaged], "r", 1.0)
    assert (outcome.failed, outcome.status) == ("PartsFailed", "parts_failed")
    assert outcome.headline.startswith("house: 1 of 2 parts failed: backup: backup 20")


def test_a_part_that_fails_in_a_way_nobody_thought_of_is_told(shop: Workshop) -> None:
    part = forget(shop.home, "outcomes", RetentionPolicy(outcomes_days=1e12))
    assert (part.status, part.told[:13]) == ("failed", "OverflowError")


def test_the_headline_says_what_was_freed(tmp_path: Path) -> None:
    parts = [
        MaintainPart(what="free a", status="done", told="1 files", bytes=1_500_000),
        MaintainPart(what="free b", status="busy", told="another build"),
        MaintainPart(what="backup", status="done", told="backup 1 of 3.0 MB", bytes=7),
    ]
    outcome = maintain_outcome(tmp_path, "house", parts, None, 1.0)
    assert outcome.headline == "house: 1.5 MB freed; backup 1 of 3.0 MB"
    assert outcome.failed is None


def test_the_config_says_where_backups_go_and_what_is_wrong(tmp_path: Path) -> None:
    given = {"name": "house", "folder": str(tmp_path)}
    here = read_mapping({**given, "backup": {"to": "safe"}}, MaintainConfig).spec()
    there = read_mapping({**given, "backup": {"to": "s3://b/p", "keep": 3}}, MaintainConfig).spec()
    assert (here.backup, here.keep, there.backup, there.keep) == (
        (str(tmp_path / "safe"), 14, "s3://b/p", 3)
    )
    assert read_mapping(given, MaintainConfig).spec().backup is None
    for wrong in ({"backup": {"keep": 2}}, {"runs_days": 0}, {"backup": {"to": "", "x": 1}}):
        with pytest.raises(ConfigError):
            read_mapping({**given, **wrong}, MaintainConfig)


def test_what_stays_for_ever_is_no_part(tmp_path: Path) -> None:
    given = {"name": "house", "folder": str(tmp_path)}
    plain = read_mapping(given, MaintainConfig).spec()
    assert plain.work() == [name for name in WORK if name != "calls"]
    paid = read_mapping({**given, "paid": True, "trainings_days": None}, MaintainConfig).spec()
    without = {"rankings", "models", "trainings"}
    assert paid.work() == [name for name in WORK if name not in without]


def test_what_the_configs_of_the_project_name_is_known(tmp_path: Path) -> None:
    folder = tmp_path / "desk"
    (folder / "more").mkdir(parents=True)
    (folder / ".hidden").mkdir()
    (folder / "app.yaml").write_text('llm: {name: local, model: "models:/helpdesk/3"}\n')
    (folder / ".hidden" / "app.yaml").write_text("model: models:/helpdesk/4\n")
    (folder / "more" / "kb.yml").write_text("model: .llmops/trainings/helpdesk/trl-0a1/model\n")
    (folder / "rows.yaml").write_text("files: [.llmops/datasets/helpdesk/v7/train.jsonl]\n")
    (folder / "json.yaml").write_text('{"dataset": "desk", "version" :\n 3}\n')
    (folder / "tune.yaml").write_text("name: helpdesk\ntrain: {name: openai, version: 2\n")
    spec = read_mapping({"name": "house", "folder": str(folder)}, MaintainConfig).spec()
    assert {str(each) for each in spec.policy.named} == {
        *("model helpdesk/3", "training helpdesk/trl-0a1"),
        *("dataset helpdesk/v2", "dataset openai/v2", "dataset desk/v3", "dataset helpdesk/v7"),
    }
