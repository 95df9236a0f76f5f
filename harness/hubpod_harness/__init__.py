"""Test kit: whole environments, with faults on demand, as pytest fixtures."""
