"""The page at `/`, for people who do not program: a tab per kind of work. `shell.py` says how a tab
is added.
"""
