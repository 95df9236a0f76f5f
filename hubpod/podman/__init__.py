"""podman in domain verbs: the only package that knows its command line and its answers."""
