"""Tests of how rows become batches."""
