"""Trained models: versions in MLflow's model registry, an alias that says which one is live."""

SCHEME = "models:/"
LIVE = "live"
