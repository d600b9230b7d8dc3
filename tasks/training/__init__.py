"""Training, and whether what was trained is served: data in, a model, its gate, its promotion."""
