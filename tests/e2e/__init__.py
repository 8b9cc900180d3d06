"""The whole server from outside: real processes, real drivers."""
