#!/bin/sh
# Runs once, when PostgreSQL makes its data: a database each for Prefect and MLflow beside the ledger's.
set -eu
for name in prefect mlflow; do
  createdb --username "$POSTGRES_USER" --owner "$POSTGRES_USER" "$name"
done
psql --username "$POSTGRES_USER" --dbname prefect --command 'CREATE EXTENSION IF NOT EXISTS pg_trgm'
