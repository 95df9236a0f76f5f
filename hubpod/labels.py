"""Every label of hubpod on pods, containers, volumes, networks and images."""

MANAGED_BY = "app.kubernetes.io/managed-by"
"""On every resource, with the value ``hubpod``."""

LABEL_ENVIRONMENT = "hubpod.environment"
LABEL_INSTANCE = "hubpod.instance"
LABEL_POD = "hubpod.pod"
"""Of a pod: its part of the instance, which distinguishes it from the instance's other pods."""

LABEL_MANIFEST = "hubpod.manifest"
"""Of a pod: the digest of the instance's manifest."""

LABEL_PROJECT = "hubpod.project"
"""Of a volume: the checkout that created it."""

LABEL_KIND = "hubpod.kind"
"""Of a volume: the kind of its seed, as SeedKind."""

LABEL_DIGEST = "hubpod.digest"
"""Of a volume with configuration or credentials: the keyed digest of its first seed."""

LABEL_ROOT = "hubpod.root"
"""Of a volume: mode and owner of its root directory, such as ``0500 1000:1000``."""

LABEL_DEPLOY_DIR = "hubpod.deploy-dir"
"""Of a volume with configuration or credentials: the directory of the deploy ConfigMap."""

LABEL_BASE_URL = "hubpod.base-url"
"""Of a volume with configuration or credentials: the setting ``baseUrl``."""

LABEL_SUBDOMAIN_HOST = "hubpod.subdomain-host"
"""Of a volume with configuration or credentials: the setting ``subdomainHost``, if it is set."""

LABEL_RUN = "hubpod.run"
"""Of resources of a test run: the run's name."""

LABEL_STACK = "hubpod.stack"
"""Of a stack that outlives its test run: the digest of its blueprint."""

LABEL_KEPT = "hubpod.kept"
"""Of a stack that its test run kept on request: the checkout."""
