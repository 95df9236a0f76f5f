"""Every label and annotation that hubpod puts on a pod, a container, a volume, a network or an image."""

MANAGED_BY = "app.kubernetes.io/managed-by"
"""On everything, with the value ``hubpod``."""

LABEL_ENVIRONMENT = "hubpod.environment"
LABEL_INSTANCE = "hubpod.instance"
LABEL_MANIFEST = "hubpod.manifest"
"""Of a pod: the digest of the manifest that it was played from."""

LABEL_PROJECT = "hubpod.project"
"""Of a volume: the checkout that created it."""

LABEL_KIND = "hubpod.kind"
"""Of a volume: the kind of its seed, as SeedKind."""

LABEL_DIGEST = "hubpod.digest"
"""Of a volume with configuration or credentials: the keyed digest of the seed that it was created with."""

LABEL_DEPLOY_DIR = "hubpod.deploy-dir"
"""Of a volume with configuration or credentials: the directory of the deploy ConfigMap."""

LABEL_BASE_URL = "hubpod.base-url"
"""Of a volume with configuration or credentials: the setting ``baseUrl``."""

LABEL_RUN = "hubpod.run"
"""Of what a test run of the harness created: the run's name."""

LABEL_STACK = "hubpod.stack"
"""Of a stack that outlives its test run: the digest of everything that it is made of."""

LABEL_KEPT = "hubpod.kept"
"""Of a stack that its test run left behind on request: the checkout."""
