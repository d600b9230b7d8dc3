"""Finding passages, and measuring how well: analysis, hybrid search, golden sets, metrics, the
gate. Knows nothing of versions.
"""
