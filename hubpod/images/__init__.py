"""The images of a pod: the base image, and the staged builds on top of it."""
