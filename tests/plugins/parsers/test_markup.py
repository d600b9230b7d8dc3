"""AsciiDoc, Org, reStructuredText: code, attributes, comments, labels."""

from llmops.tasks.plugins.parsers import parse


def text_of(source: str, name: str) -> str:
    return parse(source.encode(), name).text


def test_code_in_asciidoc_stays_as_it_is() -> None:
    code = "[server]\n# a remark\n[client]\n:key: v\n// c"
    text = parse(
        f"= Setup\n\n[source,ini]\n----\n{code}\n----\n\nBuy it.\n".encode(), "a.adoc"
    ).text
    assert text == f"# Setup\n\n```ini\n{code}\n```\n\nBuy it."


def test_attributes_labels_and_comments_of_asciidoc() -> None:
    source = (
        "= A\n:version: 1.2\n\nIt is {version}, not {other}.\n\n[WARNING]\n====\nHot.\n====\n\n"
    )
    text = text_of(f"{source}////\nhidden\n////\n\nTitle\n-----\n\nEnd.\n", "a.adoc")
    assert "It is 1.2, not {other}." in text
    assert "Warning: Hot." in text
    assert "hidden" not in text
    assert "Title\n\nEnd." in text


def test_comments_of_org_are_left_out_and_states_of_tasks_are_kept() -> None:
    code = "#+BEGIN_SRC sh\n# kept\n#+END_SRC"
    hidden = "* COMMENT Hidden\nsecret\n** Below\nsecret too\n"
    text = parse(
        f"* A\n# remark\nWords here.\n{code}\n{hidden}* TODO Call\nIt\n".encode(), "a.org"
    ).text
    assert "# kept" in text
    assert "# TODO: Call" in text
    for gone in ("remark", "Hidden", "secret", "Below"):
        assert gone not in text


def test_what_stands_behind_a_directive_of_restructured_text_is_kept() -> None:
    source = (
        "API\n===\n\n.. function:: boil(water, seconds=5)\n\n   Boils it.\n\n"
        ".. deprecated:: 3.1 Use heat instead.\n\n.. |p| replace:: Kettle Pro\n\nBuy |p| now.\n\n"
        ".. note:: Unplug first.\n\n.. rubric:: Ends\n\n>>> boil(1)\n2\n\nDone.\n"
    )
    text = text_of(source, "a.rst")
    for part in ("`boil(water, seconds=5)`", "Boils it.", "3.1 Use heat", "Buy Kettle Pro now."):
        assert part in text
    assert text.count("Unplug first.") == 1
    assert "Ends" in text
    assert ">>> boil(1)\n2\n" in text
    assert text.endswith("Done.")
