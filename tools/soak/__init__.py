"""Soak tests: users and faults at random, with invariants checked after each fault."""
