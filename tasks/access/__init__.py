"""Keys of the served application: who may do what, read which documents, spend how much, and how
fast.
"""
