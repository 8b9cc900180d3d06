"""Backups: taken under load, checked, put back."""
