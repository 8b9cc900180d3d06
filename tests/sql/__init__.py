"""Facts about the SQL front end."""
