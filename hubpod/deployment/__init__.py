"""Bring a pod to its planned state, and report its present state."""
