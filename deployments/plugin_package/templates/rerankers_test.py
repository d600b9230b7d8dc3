from llmops.deployments.plugin_package.templates.rerankers import ExampleReranker


def test_a_passage_of_the_ideal_length_comes_first() -> None:
    best, other = ExampleReranker(ideal=10).scores("Why?", ["ten signs.", "much longer than that"])
    assert best == 1
    assert 0 < other < best


def test_limits_change_no_score() -> None:
    assert ExampleReranker(seconds=1).fingerprint() == ExampleReranker().fingerprint()
    assert ExampleReranker(ideal=9).fingerprint() != ExampleReranker().fingerprint()
