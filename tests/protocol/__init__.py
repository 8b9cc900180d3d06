"""Tests of the Flight SQL protocol layer: bytes in, values out, and the tables of the metadata commands."""
