"""Run by alembic: migrate over the connection that the ledger has opened, inside its
transaction.
"""

from alembic import context

from llmops.tasks.ledger.migrations import VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
