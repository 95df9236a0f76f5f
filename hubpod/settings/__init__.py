"""A site's deploy ConfigMap and the files beside it, and the credentials that hubpod makes."""

FILE_NAME = "deploy-configmap.yaml"
"""Name of the deploy ConfigMap in a deploy directory. Defined here, so that a help text need not import a parser."""
