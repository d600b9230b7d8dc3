"""The work of a served application: from a question, and what was said before, to an answer."""
