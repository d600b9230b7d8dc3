"""Tests of what people make of answers."""
