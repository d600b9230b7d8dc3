"""What feedback and finetune say of their steps in a log."""

from pathlib import Path

from llmops.tasks.datasets import lines as feedback
from llmops.tasks.datasets.files import WrittenFile
from llmops.tasks.datasets.outcome import ReviewCounts, TriageCounts
from llmops.tasks.datasets.project import Projected
from llmops.tasks.datasets.training import lines as finetune
from llmops.tasks.datasets.training.cleaning import Checked, LeftOut
from llmops.tasks.datasets.training.collecting import Collected, CollectPart
from llmops.tasks.datasets.training.exporting import SplitRows
from llmops.tasks.datasets.training.quarantine import RejectedRows
from llmops.tasks.datasets.training.shards import RowFiles, RowShard

SHARD = RowShard(path=Path("rows.jsonl"), rows=1200)


def test_feedback_says_what_was_looked_at_queued_and_settled() -> None:
    assert feedback.looked(1, 0, 0) == "1 new trace looked at; 0 new topics"
    assert feedback.looked(9, 3, 1) == "9 new traces looked at, 3 wait for later runs; 1 new topic"
    counts = TriageCounts(added=2, left=4, reasons={"rated down": 2, "refused": 1})
    assert feedback.triaged(counts) == (
        "2 answers put into the queue: rated down 2, refused 1; 4 come with later runs"
    )
    assert feedback.triaged(TriageCounts()) == "0 answers put into the queue: none"
    queue = ReviewCounts(queue="main", states={"open": 3}, agreement=0.8)
    assert feedback.standing(queue) == "queue main: 3 open; agreement (alpha) 0.80"
    file = WrittenFile(kind="golden", path="g.jsonl", status="written", rows=5, sha256="0")
    written = Projected(settled={"good": 4, "bad": 1}, files=(file,), outdated=1)
    assert feedback.written(written) == (
        "5 answers settled; golden: 5 rows, written; 1 correction asked about again"
    )


def test_finetune_says_of_each_step_what_is_left_and_why_the_rest_is_not() -> None:
    part = CollectPart(collector=0, title="reviews", number=1, of=2, part="a")
    assert finetune.cut([part, part]) == "1 source in 2 parts"
    lost = RejectedRows(rows=3, reasons={"too long": 2, "empty": 1})
    into = "3 into quarantine (too long 2, empty 1)"
    got = Collected(title="reviews", shards=(SHARD,), rejected=lost, cost_usd=0.5)
    assert finetune.collected(got) == f"reviews: 1,200 rows, {into}, 0.5000 USD"
    assert finetune.checked(Checked(shard=SHARD)) == "1,200 rows can be used"
    scrubbed = Checked(shard=SHARD, scrubbed=2, actions={"email": 3})
    assert finetune.scrubbed(scrubbed) == (
        "1,200 rows, in 2 of them something was replaced (email 3)"
    )
    rows = RowFiles(shards=(SHARD,))
    left = LeftOut(rows=rows, counts={"same text": 7, "near": 0})
    assert finetune.left("stand there once", left) == (
        "1,200 rows stand there once; left out: same text 7"
    )
    assert finetune.split(SplitRows(train=rows)) == "train 1,200, validation 0, test 0"
