"""Decisions: from what was measured to a verdict, its record and report, and the alias that moves
by it.
"""
