"""Background work: values, decisions, records, and what users see of it."""
