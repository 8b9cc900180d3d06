"""What a statement may reach. `door` is the only way from a name to a table or a view."""
