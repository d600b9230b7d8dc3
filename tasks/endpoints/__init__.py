"""Endpoints that speak HTTP: one attempt each, and every failure as one of ours."""
