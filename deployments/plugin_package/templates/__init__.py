"""A plugin of each family that works, small, and the tests of it: what `llmops plugins new` writes
under another name. Each is real code, so that types and rules hold for it as for the house.
"""
