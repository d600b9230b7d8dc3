"""The review queue: answers that people look at, one at a time, and what they say of them."""
