"""Timings against peers in the same process: what `gradlab bench` prints."""
