"""The published JDBC driver, driven from Python."""
