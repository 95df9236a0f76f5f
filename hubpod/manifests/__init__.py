"""Manifests of a pod, for podman and for a Kubernetes cluster."""
