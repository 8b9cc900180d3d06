"""Tests of what the server is doing for its clients."""
