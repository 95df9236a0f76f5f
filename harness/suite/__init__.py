"""Shipped tests of a hub with Slurm, in normal operation and under faults."""
