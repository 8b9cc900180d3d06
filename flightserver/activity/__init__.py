"""What the server is doing: `gate` (how much at once), `statement` and `statements` (what runs, and what ran)."""
