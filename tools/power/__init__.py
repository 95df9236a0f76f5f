"""How much the tests notice: small faults, seeded one at a time, and which test catches each."""
