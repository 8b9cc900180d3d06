"""Queries that run on a cluster."""
