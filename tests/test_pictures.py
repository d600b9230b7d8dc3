"""Pictures are of one look, and equal figures have equal bytes."""

from llmops.tasks.pictures import figure, plain, png


def drawn(dpi: int = 130) -> bytes:
    made = figure(2, 1)
    axes = made.subplots()
    axes.plot([1, 2, 3])
    plain(axes)
    assert [side for side in axes.spines if axes.spines[side].get_visible()] == ["left", "bottom"]
    return png(made, dpi)


def test_equal_figures_have_equal_bytes_without_a_date_or_a_version() -> None:
    first = drawn()
    assert first == drawn()
    assert first.startswith(b"\x89PNG")
    assert b"Software" not in first
    assert b"atplotlib" not in first


def test_a_picture_has_its_size_in_dots() -> None:
    sizes = [int.from_bytes(drawn(dpi)[16:20], "big") for dpi in (130, 50)]
    assert sizes == [260, 100]
