"""The strongest border, found with as few hashes as it takes, against comparing all of them."""

import numpy as np
import pytest

from llmops.tasks.plugins.chunkers._cutting.borders import borders
from llmops.tasks.plugins.chunkers._cutting.measured import token_starts
from llmops.tasks.plugins.chunkers._cutting.strength import Strengths
from llmops.tasks.plugins.embedders.hash import HashEmbedder
from tests.plugins.chunkers import texts


@pytest.mark.parametrize(
    "text",
    [texts.CHINESE, texts.PERSIAN, "one two. " * 60, "A b, c d.\n\nE f; g. H i. J b, k d. " * 9],
)
@pytest.mark.parametrize("best", [5, 1])
def test_the_strongest_is_the_one_of_greatest_kind_and_hash(text: str, best: int) -> None:
    found = borders(text, token_starts(text, HashEmbedder()), 50)
    kinds = np.minimum(found.kinds, best)
    plain = (kinds.astype(np.uint64) << np.uint64(61)) | (found.hashes.whole >> np.uint64(3))
    strengths, chance = (
        Strengths(kinds, found.hashes, np.arange(len(kinds))),
        np.random.default_rng(1),
    )
    for _ in range(50):
        low, high = sorted(chance.choice(len(kinds) + 1, 2, replace=False).tolist())
        wanted = low + np.flatnonzero(plain[low:high] == plain[low:high].max())
        assert strengths.strongest(low, high).tolist() == wanted.tolist()
        part = strengths[low:high]
        assert (part.strongest(0, len(part)) + low).tolist() == wanted.tolist()
