"""Somebody is told when something is wrong, once, and when it is right again."""
