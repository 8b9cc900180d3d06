"""What tools of other people send, as they send it."""
