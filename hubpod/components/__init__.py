"""One module per container of the pod: pure functions from an environment's values to containers and seeds."""
