"""A night: several flows in one run, and what they came to together."""
