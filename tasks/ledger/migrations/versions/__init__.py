"""Migrations of the ledger, oldest first; each is an alembic revision."""
