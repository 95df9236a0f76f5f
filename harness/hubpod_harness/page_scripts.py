"""Scripts that tests run in pages of a browser."""

REGISTER_WORKER = """async ([script, options]) => {
    try {
        return (await navigator.serviceWorker.register(script, options)).scope;
    } catch (error) {
        return error.name;
    }
}"""
"""Register a service worker; return its scope, or the name of the error."""
