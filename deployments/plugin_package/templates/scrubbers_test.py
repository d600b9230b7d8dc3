from llmops.deployments.plugin_package.templates.scrubbers import ExampleScrubber


def test_tickets_are_found() -> None:
    text = "See TICKET-12 and TICKET-7, not TICKETS."
    found = [text[place.start : place.end] for place in ExampleScrubber().places(text)]
    assert found == ["TICKET-12", "TICKET-7"]


def test_a_pseudonym_is_nothing_to_be_found() -> None:
    assert ExampleScrubber().places("See <TICKET_1>.") == []
