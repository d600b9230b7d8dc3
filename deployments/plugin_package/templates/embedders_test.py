import numpy as np

from llmops.deployments.plugin_package.templates.embedders import ExampleEmbedder


def test_vectors_have_length_one_and_do_not_depend_on_their_neighbours() -> None:
    embedder = ExampleEmbedder()
    both = embedder.embed(["a rule", "another one"])
    assert both.shape == (2, embedder.dimension)
    assert both.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(both, axis=1), 1, rtol=1e-5)
    np.testing.assert_array_equal(both[:1], embedder.embed(["a rule"]))


def test_tokens_are_offsets_into_the_text() -> None:
    assert ExampleEmbedder().token_offsets("Yes, 3.") == [(0, 3), (3, 4), (5, 6), (6, 7)]
