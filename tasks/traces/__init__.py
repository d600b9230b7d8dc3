"""What was asked of the served application and what it answered: recorded in memory, masked, kept
in a bounded spool on the disk, and written to MLflow beside the requests, never in their way.

`trace.py` records, `masking.py` takes secrets out, `spool.py` keeps what waits, `writer.py` brings
it to MLflow, `index.py` says in the ledger which traces there are, `reading.py` reads them back,
`feedback.py` and `deletion.py` are what people may do to them.
"""
