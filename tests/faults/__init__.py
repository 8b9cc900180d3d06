"""Statements that were once answered wrongly, refused or fatal, and what they must yield."""
