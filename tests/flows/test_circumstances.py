"""Faults of where a command runs are told with a remedy, not as bugs."""

import pytest
from prefect.serializers import Serializer
from prefect.settings.models.root import Settings
from pydantic import BaseModel, ValidationError

from llmops.flows.circumstances import told
from llmops.tasks.errors import Unavailable, UsageError


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("PREFECT_LOGGING_LEVEL", "NOPE", "got 'NOPE', input should be 'DEBUG'"),
        ("PREFECT_TASKS_DEFAULT_RETRIES", "many", "got 'many', input should be a valid integer"),
        ("PREFECT_CLIENT_CUSTOM_HEADERS", "abc", "got 'abc', it cannot be read"),
    ],
)
def test_a_setting_that_prefect_refuses_is_named(
    name: str, value: str, said: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with pytest.raises(ValueError) as refused:  # noqa: PT011 - of two libraries
        Settings()
    error = told(refused.value)
    assert isinstance(error, UsageError)
    assert error.where == name
    assert error.message.startswith(said)


def test_a_setting_that_fails_where_it_is_used_is_found_by_its_value(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PREFECT_RESULTS_DEFAULT_SERIALIZER", "nope")
    with pytest.raises(ValidationError) as refused:
        Serializer(type="nope")
    error = told(refused.value)
    assert isinstance(error, UsageError)
    assert error.where == "PREFECT_RESULTS_DEFAULT_SERIALIZER"


def test_what_may_be_a_bug_stays_one() -> None:
    class Shape(BaseModel):
        sides: int

    with pytest.raises(ValidationError) as wrong:
        Shape.model_validate({"sides": "many"})
    assert told(wrong.value) is None
    assert told(ValueError("nobody foresaw this")) is None


def test_no_more_memory_is_no_bug_also_behind_another_error() -> None:
    error = RuntimeError("a task failed")
    error.__cause__ = MemoryError()
    assert isinstance(told(error), Unavailable)
