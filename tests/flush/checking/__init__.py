"""Checks of what is stored, and repairs."""
