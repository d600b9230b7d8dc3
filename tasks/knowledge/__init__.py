"""The heart: what a knowledge base holds at each version, and how it gets from one to the next."""
