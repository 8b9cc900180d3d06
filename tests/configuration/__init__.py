"""How a server comes by its settings."""
