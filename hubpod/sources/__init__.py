"""The development repositories: their origins, clones and releases."""
