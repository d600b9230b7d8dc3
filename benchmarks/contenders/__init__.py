"""What the parts of the page start in processes of their own, ours and the peers' alike: each peer
as its own documentation has it, imported where it is used. These files need nothing of ours but the
`hash` embedder, so that they run in an environment of the peers.
"""
