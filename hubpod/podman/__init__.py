"""podman in domain verbs. No other package knows its command line or its output."""
