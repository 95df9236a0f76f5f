"""Manifests of an instance, for podman and for a Kubernetes cluster."""
