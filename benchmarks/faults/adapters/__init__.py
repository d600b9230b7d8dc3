"""The systems, one file each. A file imports its system, and nothing of the others."""
