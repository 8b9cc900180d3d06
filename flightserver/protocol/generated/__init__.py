"""Protobuf classes generated from the `.proto` files one folder up. Never edited by hand; see README.md here."""
