"""Backups: a home as it was at one moment, kept by content at any folder or URL, and the way
back.
"""
