"""All tables of the ledger, whichever modules a process has imported: for whatever copies or
searches the whole of it.
"""

from sqlalchemy import Table

from llmops.tasks.ledger import alerting, application, review, tables

MODULES = (tables, application, review, alerting)
"""Importing one enters its tables into the metadata."""


def every_table() -> list[Table]:
    """In an order in which rows can be inserted."""
    return tables.metadata.sorted_tables
