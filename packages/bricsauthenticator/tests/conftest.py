"""An issuer, a hub without a proxy, and a Slurm made of small shell scripts."""

import asyncio
import json
import logging
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import jwt
import pytest
import pytest_asyncio
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from hypothesis import HealthCheck, settings
from jupyterhub.app import JupyterHub  # type: ignore[import-untyped]
from jupyterhub.proxy import Proxy  # type: ignore[import-untyped]
from tornado import httpclient, httputil, web
from tornado.httpserver import HTTPServer
from tornado.simple_httpclient import SimpleAsyncHTTPClient
from tornado.testing import bind_unused_port
from traitlets.config import Config

from bricsauthenticator import BricsAuthenticator, BricsSlurmSpawner

# The same examples in each run: a new failing one shows up in the change that causes it.
settings.register_profile(
    "steady",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.load_profile("steady")

AUDIENCE = "hub-client"
PLATFORM = "brics.slurm.cluster"
PROJECTS = {
    "project1.portal": {
        "name": "Project <b>1</b>",
        "resources": [{"name": PLATFORM, "username": "ada.project1"}, {"name": "elsewhere", "username": "root"}],
    },
    "project2.portal": {"name": "Project 2", "resources": [{"name": PLATFORM, "username": "ada.project2"}]},
    "project3.portal": {"name": "Project 3", "resources": [{"name": "elsewhere", "username": "x"}]},
}


@dataclass
class SigningKey:
    """A private key, its algorithm and its id."""

    private: Any
    algorithm: str
    kid: str

    @property
    def public_jwk(self) -> dict[str, Any]:
        """The public half as a key set has it."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        jwk: dict[str, Any] = algorithm.to_jwk(self.private.public_key(), as_dict=True)
        jwk.pop("key_ops", None)
        return {**jwk, "kid": self.kid, "use": "sig", "alg": self.algorithm}

    @property
    def private_jwk(self) -> dict[str, Any]:
        """Both halves, which no issuer should publish."""
        algorithm = jwt.get_algorithm_by_name(self.algorithm)
        return {**self.public_jwk, **algorithm.to_jwk(self.private, as_dict=True), "key_ops": ["sign", "verify"]}


CURVES: dict[str, Callable[[], ec.EllipticCurve]] = {
    "ES256": ec.SECP256R1,
    "ES384": ec.SECP384R1,
    "ES512": ec.SECP521R1,
}


def new_key(algorithm: str, kid: str, bits: int = 2048) -> SigningKey:
    """Make a key for an algorithm, of this size if it is an RSA key."""
    private: Any
    if algorithm == "EdDSA":
        private = ed25519.Ed25519PrivateKey.generate()
    elif algorithm in CURVES:
        private = ec.generate_private_key(CURVES[algorithm]())
    else:
        private = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    return SigningKey(private, algorithm, kid)


RSA_KEY = new_key("RS256", "rsa-1")


class Issuer:
    """An issuer: an HTTP server with a discovery document and a key set.

    It counts its requests, and tests can make it misbehave.
    """

    def __init__(self) -> None:
        self.first_key = RSA_KEY
        self.keys = [self.first_key]
        self.requests: list[str] = []
        self.extra_discovery: dict[str, Any] = {}
        self.raw_keys: bytes | None = None
        self.redirect: tuple[int, str] | None = None
        self.delay = asyncio.Event()
        self.delay.set()
        self._socket, self.port = bind_unused_port()
        self.url = f"http://127.0.0.1:{self.port}/realms/main"
        self._server: HTTPServer | None = None

    def start(self) -> None:
        """Begin to serve."""
        issuer = self

        class Documents(web.RequestHandler):
            async def get(self, name: str) -> None:
                issuer.requests.append(name)
                await issuer.delay.wait()
                if issuer.redirect:
                    self.redirect(issuer.redirect[1], status=issuer.redirect[0])
                else:
                    self.write(issuer.document(name))

        self._server = HTTPServer(web.Application([(r"/realms/main/(.*)", Documents)], log_function=lambda _: None))
        self._server.add_socket(self._socket)

    async def stop(self) -> None:
        """Cease to serve: connections are refused from now on."""
        if self._server is not None:
            self._server.stop()
            await self._server.close_all_connections()

    def document(self, name: str) -> bytes:
        """Return one of the two documents."""
        if name == "jwks":
            key_set = {"keys": [key.public_jwk for key in self.keys]}
            return self.raw_keys if self.raw_keys is not None else json.dumps(key_set).encode()
        discovery = {
            "issuer": self.url,
            "jwks_uri": f"{self.url}/jwks",
            "id_token_signing_alg_values_supported": ["none"],
        }
        return json.dumps(discovery | self.extra_discovery).encode()

    def mint(self, *, key: SigningKey | None = None, headers: dict[str, Any] | None = None, **changes: Any) -> str:
        """Sign a token without the claims that are changed to `...`."""
        key = key or self.keys[0]
        now = int(time.time())
        claims: dict[str, Any] = {"iss": self.url, "aud": AUDIENCE, "iat": now, "exp": now + 300}
        claims |= {"short_name": "ada", "projects": PROJECTS, **changes}
        claims = {name: value for name, value in claims.items() if value is not ...}
        payload = json.dumps(claims).encode()
        return jwt.api_jws.encode(payload, key.private, key.algorithm, {"kid": key.kid, **(headers or {})})


@pytest_asyncio.fixture
async def issuer() -> AsyncIterator[Issuer]:
    """An issuer with one RSA key."""
    issuer = Issuer()
    issuer.start()
    yield issuer
    await issuer.stop()


class NoProxy(Proxy):  # type: ignore[misc]
    """A proxy that forwards nothing, because the tests talk to the hub itself."""

    async def get_all_routes(self) -> dict[str, Any]:
        """Return an empty result."""
        return {}

    async def add_route(self, routespec: str, target: str, data: object) -> None:
        """Forget it."""

    async def delete_route(self, routespec: str) -> None:
        """Forget it."""


SCRIPTS = {
    # As ssh does: what follows the options is one command line for a shell on the other side.
    "ssh": '[ -e {dir}/fault ] && . {dir}/fault; echo "$@" >>{dir}/argv; env >>{dir}/ssh_env; exec sh -c "$*"\n',
    # The account is moved into place, because a test may read it while the spawner queries the job.
    "sudo": '[ "$1" = -u ] || exit 9\n'
    '[ "$2" = hub ] || {{ echo "$2" >{dir}/account.$$; mv {dir}/account.$$ {dir}/account; }}\n'
    'account=$2; shift 2; exec env SUDO_TO=$account "$@"\n',
    # Each account has its own jobs; jobs added by a test belong to all accounts.
    "sbatch": "cat >{dir}/script; n=$(($(cat {dir}/last 2>/dev/null || echo 40) + 1)); echo $n >{dir}/last\n"
    "[ -e {dir}/refusal ] && {{ cat {dir}/refusal >&2; exit 1; }}\n"
    "echo $n $(sed -n 's/^#SBATCH --comment=\"\\(.*\\)\"$/\\1/p' {dir}/script) >>{dir}/jobs.$SUDO_TO\n"
    "[ -e {dir}/state ] || echo 'PENDING Priority n/a' >{dir}/state; echo $n\n",
    "squeue": "[ $SLURMSPAWNER_JOB_ID = all ] && {{ cat {dir}/all; exit; }}\n"
    "[ $SLURMSPAWNER_JOB_ID = mine ] && {{ cat {dir}/jobs {dir}/jobs.$SUDO_TO 2>/dev/null; exit 0; }}\n"
    "[ $SLURMSPAWNER_JOB_ID = home ] && {{ cat {dir}/home; exit; }}\n"
    "[ $SLURMSPAWNER_JOB_ID = check ] && {{ cat >>{dir}/checked; cat {dir}/check 2>/dev/null; exit 0; }}\n"
    "echo $SLURMSPAWNER_JOB_ID >>{dir}/asked\n"
    "[ -e {dir}/gone ] && {{ echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1; }}\n"
    "cat {dir}/state\n",
    "scancel": "echo $SLURMSPAWNER_JOB_ID >>{dir}/cancelled; echo 'CANCELLED None node1' >{dir}/state\n",
}


@dataclass
class FakeSlurm:
    """A fake Slurm with one job, which a test controls through files.

    Scripts replace ssh, sudo and the wrappers.
    """

    directory: Path
    _made: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        for name, text in SCRIPTS.items():
            path = self.directory / name
            path.write_text("#!/bin/sh\n" + text.format(dir=self.directory))
            path.chmod(0o755)

    def says(self, answer: str) -> None:
        """Let squeue answer with this line."""
        new = self.directory / "state.new"
        new.write_text(answer + "\n")
        new.rename(self.directory / "state")

    def forgets(self) -> None:
        """Let Slurm know no such job."""
        self.put("gone", "")

    def put(self, name: str, text: str) -> None:
        """Put a file that changes what the scripts do: fault, refusal."""
        (self.directory / name).write_text(text)

    def heal(self) -> None:
        """End a fault of the connection."""
        (self.directory / "fault").unlink()

    def read(self, name: str) -> str:
        """Return what the scripts have written: script, argv, account, `asked`, cancelled, ssh_env."""
        path = self.directory / name
        return path.read_text() if path.exists() else ""

    def configure(self, c: Config) -> None:
        """Point a spawner at the scripts, as a site's configuration does with the real commands."""
        spawner, here = c.BricsSlurmSpawner, self.directory
        spawner.exec_prefix = f"{here}/ssh {here}/sudo -u {{username}}"
        spawner.batch_submit_cmd = f"{here}/sbatch"
        spawner.batch_query_cmd = f"SLURMSPAWNER_JOB_ID={{job_id}} {here}/squeue"
        spawner.batch_list_cmd = f"SLURMSPAWNER_JOB_ID=mine {here}/squeue"
        spawner.query_all_cmd = f"{here}/ssh {here}/sudo -u hub SLURMSPAWNER_JOB_ID=all {here}/squeue"
        spawner.batch_cancel_cmd = f"SLURMSPAWNER_JOB_ID={{job_id}} {here}/scancel"
        spawner.batch_script = (
            "#!/bin/bash\n#SBATCH --chdir={{homedir}}\n#SBATCH --time={{runtime}}\n#SBATCH --gpus={{ngpus}}\n"
            "{% if partition %}#SBATCH --partition={{partition}}\n{% endif %}"
            "{% if reservation %}#SBATCH --reservation={{reservation}}\n{% endif %}"
            "#SBATCH --comment={{project}}\n\n{{cmd}}\n"
        )
        spawner.startup_poll_interval = 0.05


@pytest.fixture
def slurm(tmp_path: Path) -> FakeSlurm:
    """A Slurm whose next job waits in the queue."""
    return FakeSlurm(tmp_path)


@dataclass
class Hub:
    """JupyterHub in this process, and a browser in front of it."""

    app: Any
    url: str
    cookies: dict[str, str] = field(default_factory=dict)

    async def request(  # noqa: PLR0913 - a browser
        self,
        path: str,
        *,
        method: str = "GET",
        token: str | list[str] | None = None,
        headers: dict[str, str] | None = None,
        body: str | None = None,
        cookies: bool = True,
        reader: Callable[[bytes], None] | None = None,
    ) -> httpclient.HTTPResponse:
        """Send a request with the stored cookies, and store the cookies of the response.

        Redirects are not followed.

        A reader gets the parts of the body as they come; the response then has none.
        """
        sent = httputil.HTTPHeaders({"Accept": "text/html", **(headers or {})})
        for one in [token] if isinstance(token, str) else token or ():
            sent.add("X-Auth-Id-Token", one)
        if cookies and self.cookies:
            sent["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        client = SimpleAsyncHTTPClient(force_instance=True)
        response = await client.fetch(
            httpclient.HTTPRequest(
                self.url + path,
                method=method,
                headers=sent,
                body=body,
                follow_redirects=False,
                request_timeout=10,
                allow_nonstandard_methods=True,
                streaming_callback=reader,
            ),
            raise_error=False,
        )
        for cookie in response.headers.get_list("Set-Cookie") if cookies else ():
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return response

    async def login(self, token: str, *, next_url: str = "/hub/home") -> httpclient.HTTPResponse:
        """Log in as a browser behind the front door does."""
        headers = {"Sec-Fetch-Mode": "navigate"}
        return await self.request(f"/hub/login?{urlencode({'next': next_url})}", token=token, headers=headers)

    async def submit_form(self, **fields: str) -> httpclient.HTTPResponse:
        """Fetch the spawn page and send its form."""
        await self.request("/hub/spawn")
        return await self.request(
            f"/hub/spawn?_xsrf={self.cookies['_xsrf']}",
            method="POST",
            headers={"Content-Type": "application/x-www-form-urlencoded", "Referer": f"{self.url}/hub/spawn"},
            body=urlencode(fields),
        )

    async def api(
        self,
        path: str,
        *,
        method: str = "POST",
        token: str = "",
        body: object = None,
        reader: Callable[[bytes], None] | None = None,
    ) -> httpclient.HTTPResponse:
        """Call the REST API with a token."""
        text = None if body is None else json.dumps(body)
        headers = {"Authorization": f"token {token}", "Accept": "application/json"}
        return await self.request(
            f"/hub/api{path}", method=method, headers=headers, body=text, cookies=False, reader=reader
        )

    def spawner(self, name: str = "ada") -> BricsSlurmSpawner:
        """Return a user's spawner."""
        spawner: BricsSlurmSpawner = next(user for user in self.app.users.values() if user.name == name).spawner
        return spawner

    def user_token(self, name: str = "ada") -> str:
        """Make an API token that may do what the user may."""
        user = next(user for user in self.app.users.values() if user.name == name)
        return str(user.new_api_token(scopes=["inherit"]))


HubMaker = Callable[..., Any]


def site_config(issuer: Issuer, slurm: FakeSlurm) -> Config:
    """Return a configuration as a site's."""
    c = Config()
    c.JupyterHub.authenticator_class = BricsAuthenticator
    c.JupyterHub.spawner_class = BricsSlurmSpawner
    c.JupyterHub.template_paths = [str(files("bricsauthenticator") / "templates")]
    c.JupyterHub.proxy_class = NoProxy
    c.JupyterHub.db_url = "sqlite:///:memory:"
    c.JupyterHub.cookie_secret = b"x" * 32
    c.JupyterHub.log_level = "DEBUG"
    c.JupyterHub.tornado_settings = {"slow_spawn_timeout": 10}
    c.CryptKeeper.keys = [b"k" * 32]
    c.Authenticator.enable_auth_state = True
    c.BricsAuthenticator.oidc_server = issuer.url
    c.BricsAuthenticator.oidc_timeout = 60.0  # however busy the machine is
    c.BricsAuthenticator.brics_platform = PLATFORM
    c.BricsAuthenticator.jwt_audience = AUDIENCE
    slurm.configure(c)
    return c


@asynccontextmanager
async def running_hub(config: Config, directory: Path, *, xheaders: bool = False) -> AsyncIterator[Hub]:
    """Run a hub in this process, with its files in a directory of its own."""
    JupyterHub.clear_instance()
    app = JupyterHub.instance(config=config, pid_file="", cookie_secret_file=str(directory / "cookie_secret"))
    app.load_config_file = lambda *_: None
    app.init_pycurl = lambda: None
    await app.initialize([])
    app.log.propagate = True
    socket, port = bind_unused_port()
    server = HTTPServer(app.tornado_application, xheaders=xheaders)
    server.add_socket(socket)
    try:
        yield Hub(app, f"http://127.0.0.1:{port}")
    finally:
        server.stop()
        await server.close_all_connections()
        JupyterHub.clear_instance()


@pytest.fixture
def hub_config(issuer: Issuer, slurm: FakeSlurm) -> Config:
    """A configuration that a test may change before it starts the hub."""
    return site_config(issuer, slurm)


@pytest_asyncio.fixture
async def hub_maker(tmp_path: Path) -> AsyncIterator[HubMaker]:
    """Start a hub from a configuration."""
    async with AsyncExitStack() as hubs:
        yield lambda config, **options: hubs.enter_async_context(running_hub(config, tmp_path, **options))


@pytest_asyncio.fixture
async def hub(hub_maker: HubMaker, hub_config: Config) -> Hub:
    """A running hub that trusts the issuer and spawns through the fake Slurm."""
    started: Hub = await hub_maker(hub_config)
    return started


@pytest_asyncio.fixture
async def ada(hub: Hub, issuer: Issuer) -> Hub:
    """A hub with a user logged in."""
    await hub.login(issuer.mint())
    await hub.request("/hub/home")
    return hub


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def lasting(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[tuple[Hub, Issuer]]:
    """A hub and its issuer for all tests of a module that only log in."""
    issuer, directory = Issuer(), tmp_path_factory.mktemp("hub")
    issuer.start()
    async with running_hub(site_config(issuer, FakeSlurm(directory)), directory) as hub:
        yield hub, issuer
    await issuer.stop()


@pytest.fixture
def all_logs(caplog: pytest.LogCaptureFixture) -> pytest.LogCaptureFixture:
    """Everything that is logged, at every level."""
    caplog.set_level(logging.DEBUG)
    return caplog


async def until(condition: Callable[[], object], timeout_s: float = 60.0) -> None:
    """Wait for a condition that depends on a file or another process."""
    async with asyncio.timeout(timeout_s):
        while not condition():  # noqa: ASYNC110 - nothing else announces it
            await asyncio.sleep(0.005)


@pytest.fixture(name="until")
def until_fixture() -> Callable[..., Any]:
    """Return the function that waits for a condition."""
    return until


@pytest.fixture(name="new_key")
def new_key_fixture() -> Callable[..., SigningKey]:
    """Return the function that makes a signing key."""
    return new_key
