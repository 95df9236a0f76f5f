"""Measure how long a bare `jupyterhub-singleuser` takes until it listens.

    python tools/bench/bare_server.py --instance NAME

Without queue, SSH and port report, this is the lower bound of a spawn. The server runs in the Slurm container
of a running instance, where the users' servers run. The result is one JSON object, in seconds.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
ACCOUNT = "testuser.project1"
ENVIRONMENT = "/opt/jupyter/miniforge3/envs/jupyter-user-env"
SCRIPT = """
import json, os, socket, subprocess, sys, tempfile, time

with socket.socket() as free:
    free.bind(("127.0.0.1", 0))
    address = free.getsockname()
prefix = "/jupyter/user/testuser/"
url = f"http://{address[0]}:{address[1]}{prefix}"
names = {"API_URL": "http://127.0.0.1:8081/jupyter/hub/api", "API_TOKEN": "none", "USER": "testuser", "SERVER_NAME": "",
         "SERVICE_PREFIX": prefix, "BASE_URL": "/jupyter/", "SERVICE_URL": url, "CLIENT_ID": "jupyterhub-user-testuser",
         "OAUTH_CALLBACK_URL": f"{prefix}oauth_callback", "HOST": ""}
with tempfile.TemporaryDirectory() as home:
    env = {"HOME": home, "PATH": os.environ["PATH"], **{f"JUPYTERHUB_{name}": value for name, value in names.items()}}
    start = time.monotonic()
    server = subprocess.Popen([f"{sys.prefix}/bin/jupyterhub-singleuser"], env=env, cwd=home,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with socket.socket() as probe:
                if not probe.connect_ex(address):
                    print(json.dumps({"until it listens": round(time.monotonic() - start, 3)}))
                    break
            time.sleep(0.01)
        else:
            sys.exit(f"jupyterhub-singleuser exited with status {server.returncode} before it listened")
    finally:
        server.kill()
        server.wait()
"""
"""Runs in the container with the standard library alone."""


def main() -> int:
    """Run the script in the container, and let it print its result."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--instance", required=True)
    instance = parser.parse_args().instance
    remote = ("runuser", "-u", ACCOUNT, "--", f"{ENVIRONMENT}/bin/python", "-c", SCRIPT)
    command = (sys.executable, "-m", "invoke", "dev.exec", f"--instance={instance}", "slurm", "--", *remote)
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
