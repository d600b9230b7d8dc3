"""The other system of careless.py, as an adapter of its own."""

from tests.benchmarks.careless import CarefulAdapter

ADAPTER = CarefulAdapter()
