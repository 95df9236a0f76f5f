"""People and faults at random, for as long as one likes, and what must hold after each fault."""
