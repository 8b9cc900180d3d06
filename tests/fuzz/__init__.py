"""Bad input over the wire: thousands of seeded messages, and the classes of it by name."""
