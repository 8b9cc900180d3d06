"""Queries on a cluster: their text in its language, and the connection to it.

What they may read is decided elsewhere.
"""
