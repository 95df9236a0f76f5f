"""How long a bare `jupyterhub-singleuser` needs until it listens, without queue, SSH and port report, in JSON.

    python tools/bench/bare.py --instance NAME

No spawn is quicker than that. It runs where the users' servers run, in the Slurm container of an instance that is up.
"""

import argparse
import subprocess
import sys
from pathlib import Path

PROJECT = Path(__file__).parents[2]
ACCOUNT = "testuser.project1"
ENVIRONMENT = "/opt/jupyter/miniforge3/envs/jupyter-user-env"
INSIDE = """
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
    begun = time.monotonic()
    server = subprocess.Popen([f"{sys.prefix}/bin/jupyterhub-singleuser"], env=env, cwd=home,
                              stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        while server.poll() is None:
            with socket.socket() as asking:
                if not asking.connect_ex(address):
                    print(json.dumps({"until it listens": round(time.monotonic() - begun, 3)}))
                    break
            time.sleep(0.01)
        else:
            sys.exit(f"jupyterhub-singleuser ended with {server.returncode} before it listened")
    finally:
        server.kill()
        server.wait()
"""
"""What runs there, with nothing but the standard library."""


def main() -> int:
    """Have it run there; its figure is what is printed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--instance", required=True)
    instance = parser.parse_args().instance
    there = ("runuser", "-u", ACCOUNT, "--", f"{ENVIRONMENT}/bin/python", "-c", INSIDE)
    command = (sys.executable, "-m", "invoke", "dev.exec", f"--instance={instance}", "slurm", "--", *there)
    return subprocess.run(command, cwd=PROJECT, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
