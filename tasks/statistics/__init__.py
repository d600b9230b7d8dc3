"""Statistics of evaluations: pure functions on arrays, each with its reference. Written
out, so that a decision that is recomputed years later does not depend on the version of a library;
scipy and statsmodels are the oracle of the tests.
"""
