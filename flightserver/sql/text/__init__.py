"""A statement's text: cut into tokens exactly where the engine cuts it, and what its tokens tell."""
