"""Publication to other engines."""
