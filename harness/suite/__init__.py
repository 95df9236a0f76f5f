"""Shipped tests: what a hub with Slurm must do for a user, in normal operation and under faults."""
