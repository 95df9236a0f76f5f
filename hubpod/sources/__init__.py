"""The development repositories: where they come from, their clones, and their releases."""
