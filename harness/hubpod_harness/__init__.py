"""The test kit: whole environments for tests, with their faults, as pytest fixtures."""
