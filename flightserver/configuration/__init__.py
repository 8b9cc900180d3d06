"""Where settings are read (`sources`), what is told of it (`described`), how it changes (`live`)."""
