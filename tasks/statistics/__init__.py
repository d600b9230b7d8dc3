"""Statistics of evaluations: pure functions on arrays, each with its reference."""
