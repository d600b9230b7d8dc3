"""Validation of documents and chunks by Great Expectations: suites in YAML, verdicts per row and
per table, Data Docs.

`read_suite` needs neither Great Expectations nor pandas; `validate` and `write_docs` import them.
"""

from llmops.tasks.validation.docs import write_docs
from llmops.tasks.validation.engine import judge, looked_at, validate
from llmops.tasks.validation.suite import Expectation, Suite, read_suite
from llmops.tasks.validation.verdict import (
    RowFailure,
    TableFailure,
    Tally,
    ValidationVerdict,
    combine,
)

__all__ = [
    "Expectation",
    "RowFailure",
    "Suite",
    "TableFailure",
    "Tally",
    "ValidationVerdict",
    "combine",
    "judge",
    "looked_at",
    "read_suite",
    "validate",
    "write_docs",
]
