"""Power of the tests: seed small faults, one at a time, and list the tests that catch each."""
