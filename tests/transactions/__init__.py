"""Tests of transactions on real storage."""
