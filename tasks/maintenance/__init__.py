"""What operators do to a knowledge base: verify, repair, free, move, erase, explain, compare."""
