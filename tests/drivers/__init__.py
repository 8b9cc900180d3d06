"""Drivers in full, against a real server process."""
