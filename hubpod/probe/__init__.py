"""A spawn as a user does it, and where its time went."""
