"""The audit log: every change of something live, by whom, in a chain of hashes that shows what was
altered or removed. People stand in it by pseudonyms, so that one can be erased without breaking it.
"""
