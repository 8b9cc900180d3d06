"""Facts about names, types and definitions."""
