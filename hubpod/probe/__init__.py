"""Spawn a notebook as a user does, and measure the stages of the spawn."""
