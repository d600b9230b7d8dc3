"""Evaluation: arms on frozen cases, every call paid once, and a decision that can be computed again
from its record.
"""
