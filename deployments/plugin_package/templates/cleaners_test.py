from llmops.deployments.plugin_package.templates.cleaners import ExampleCleaner


def test_lines_with_a_prefix_go() -> None:
    cleaner = ExampleCleaner(prefixes=("Draft",))
    assert cleaner.clean("Draft of May\nThe rule.\n") == "The rule.\n"


def test_cleaning_twice_changes_nothing_more() -> None:
    cleaned = ExampleCleaner().clean("Confidential\nThe rule.")
    assert ExampleCleaner().clean(cleaned) == cleaned == "The rule."
