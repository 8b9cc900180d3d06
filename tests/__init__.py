"""The specification of the server, in tests."""
