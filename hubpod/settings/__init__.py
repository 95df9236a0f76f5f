"""What a site configures: the deploy ConfigMap, the files beside it, and the credentials that hubpod makes."""
