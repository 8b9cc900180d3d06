"""Tests of the SQLAlchemy dialect."""
