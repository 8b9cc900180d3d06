"""What calls mean."""
