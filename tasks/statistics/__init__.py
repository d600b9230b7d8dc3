"""Statistics of evaluations: pure functions on arrays, each with its reference. Distributions are
scipy's; scipy and statsmodels are the oracle of the tests for the rest.
"""
