"""Bringing a pod to its planned state, and looking at the state it is in."""
