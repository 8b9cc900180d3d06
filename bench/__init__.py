"""What the server can do, as ratios: `python -m bench`. See README.md."""
