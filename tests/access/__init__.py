"""Who gets in, as whom, and for how long."""
