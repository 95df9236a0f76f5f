"""The tests that ship with the harness: what a hub with Slurm must do for a person, on good days and bad ones."""
