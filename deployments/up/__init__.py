"""`llmops up`: one process in the foreground, and all parts of a home below it.

parts.py says which parts there are, keeper.py starts one, asks how it is and starts it again,
supervisor.py has them all, in order, and ends them; logs.py is what they say; tether.py runs inside
each part; record.py is `HOME/up.json`, from which others see what runs.
"""
