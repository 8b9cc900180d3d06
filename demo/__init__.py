"""A guided run on real data: `make demo`."""
