"""Bytes that change on the disk by themselves: found or harmless, whatever file they are in."""
