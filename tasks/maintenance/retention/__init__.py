"""How long a home keeps what it holds, and what is kept for the sake of something else.

`references.py` is the one graph of it, `holdings.py` reads it from a home; each other file removes
one kind of thing. What refers goes before what it refers to, so that a kill at any moment leaves
nothing that refers to nothing.
"""
