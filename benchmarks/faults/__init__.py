"""Fault injection: what is lost, mixed, paid again or said wrongly when an index is updated and
something breaks. The same for every system, measured from outside.

    python -m benchmarks.faults [--quick] [--systems ours,llamaindex,langchain,cocoindex]
                                [--python NAME=PATH] [--out docs/benchmarks]

docs/benchmarks/faults.md says how to read the table and how to add a system in one file.
"""
