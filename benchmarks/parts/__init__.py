"""The parts of the public page: each measures us and our peers in one run."""
