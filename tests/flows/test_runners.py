"""The same build by one process, by a Dask cluster and by Ray: bit for bit, also when a worker is
killed in the middle.
"""

import os
from hashlib import sha256
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sqlalchemy import select

from llmops.configs.runners import NEEDS
from llmops.tasks.errors import Unavailable
from llmops.tasks.knowledge.reading import searcher
from llmops.tasks.ledger.tables import chunks, documents, embeddings
from tests.commandline import PLUGINS
from tests.flows.test_incremental import prose
from tests.laboratory import Laboratory
from tests.s3 import Bucket

pytestmark = pytest.mark.slow


def needs(runner: str) -> None:
    absent = [module for module in NEEDS[runner] if find_spec(module) is None]
    if absent:
        pytest.skip(f"needs pip install 'llmops-pipelines[{runner}]': {absent} not installed")


def filled(lab: Laboratory) -> Laboratory:
    for number in range(24):
        lab.write(f"d{number}.txt", prose(number, 8))
    return lab


def made(lab: Laboratory) -> dict[str, list[Any]]:
    """All that a version is: rows of the ledger, hashes of vectors, and what the store holds."""
    columns = {
        documents: ("doc_id", "uri", "text_hash", "content_hash", "check_stage", "chunk_stage"),
        chunks: ("chunk_id", "doc_id", "row_hash", "text_hash", "valid_from", "valid_to"),
        embeddings: ("model", "text_hash", "vector"),
    }
    with lab.handle.ledger.read() as connection:
        rows: dict[str, list[Any]] = {
            table.name: sorted(
                tuple(
                    sha256(value).hexdigest() if isinstance(value, bytes) else value
                    for value in row
                )
                for row in connection.execute(select(*(table.c[name] for name in names)))
            )
            for table, names in columns.items()
        }
    reader = searcher(lab.home, lab.handle.published()).reader
    rows["store"] = sorted(
        (key, sha256(np.array(vector, "<f4").tobytes()).hexdigest())
        for part in reader.rows(["chunk_id", "vector"])
        for key, vector in zip(part["chunk_id"], part["vector"], strict=True)
    )
    return rows


def other(lab: Laboratory) -> Laboratory:
    """Another home with the same documents and the same embedder."""
    beside = Laboratory.__new__(Laboratory)
    beside.__dict__.update(lab.__dict__ | {"home": lab.folder / "other"})
    return beside


@pytest.mark.parametrize("name", ["dask", "ray"])
def test_a_cluster_builds_what_one_process_builds_and_a_killed_worker_costs_nothing(
    name: str, lab: Laboratory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needs(name)
    filled(lab)
    assert lab.build().status == "published"
    alone, bills = made(lab), sorted(lab.bills())
    lab.bill.write_text("")
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    cluster, dead = other(lab), tmp_path / "dead"
    with Bucket() as bucket:
        if name == "dask":  # two processes that write to one lake elsewhere
            bucket.use(monkeypatch, "lake/prefix")
        embed = {"name": "deadly", "bill": str(lab.bill), "dead": str(dead)}
        outcome = cluster.build(runner=name, embed=embed)
        assert (outcome.status, dead.exists()) == ("published", True)
        assert made(cluster) == alone
        assert sorted(lab.bills()) == bills
        assert cluster.verified()
        assert (cluster.home / "lake").exists() == (name == "ray")


def test_a_cluster_that_runs_is_asked_before_anything_is_paid(
    lab: Laboratory, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    needs("dask")
    dask: Any = import_module("distributed")
    filled(lab)
    monkeypatch.setenv("PYTHONPATH", str(PLUGINS))
    with pytest.raises(Unavailable, match=r"nothing answers at tcp://127\.0\.0\.1:9"):
        lab.build(runner={"name": "dask", "address": "tcp://127.0.0.1:9"})
    with (
        dask.LocalCluster(n_workers=1, threads_per_worker=1, dashboard_address=None) as cluster,
        dask.Client(cluster) as client,
    ):
        runner = {"name": "dask", "address": cluster.scheduler_address}
        for name, value, says in (
            ("LLMOPS_LAKE", str(tmp_path / "other"), r"the lake there \(.*other\) is another one"),
            ("LLMOPS_LEDGER_URL", f"sqlite:///{tmp_path}/other.db", "the ledger there .* no build"),
        ):
            client.run(lambda one, to: os.environ.update({one: to}), name, value)
            with pytest.raises(Unavailable, match=f"the worker .* cannot take part: {says}"):
                lab.build(runner=runner)
            client.run(lambda one: os.environ.pop(one) and None, name)
        assert (lab.paid(), lab.live()) == (0, None)
        outcome = lab.build(runner=runner)
        assert (outcome.status, lab.visible()) == ("published", {f"d{n}.txt" for n in range(24)})
        assert lab.build(runner={"name": "dask", "address": "tcp://127.0.0.1:9"}).status == (
            "unchanged"
        ), "a build with nothing to do needs no cluster"
