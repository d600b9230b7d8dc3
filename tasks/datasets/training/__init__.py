"""Data sets that trainers can trust: rows collected, checked, cleaned, split and exported."""
