"""The hub, its credentials and its configuration.

The configuration consists of a core and one fragment per axis value.
"""

from hubpod.components import needs, proxy, slurm
from hubpod.components.component import Client, Component, ContainerSpec, Image
from hubpod.components.site import CREDENTIALS, Site, files_below, mount_source
from hubpod.pod import Container, File, Mount, Seed, SeedKind
from hubpod.settings import subdomains
from hubpod.settings.credentials import Credential, check_crypt_key, new_token
from hubpod.settings.ssh_address import SshAddress

NAME = "jupyterhub"
IMAGE = "jupyterhub"
SOURCE = "bricsauthenticator"
SOURCE_VOLUME = "hub-source"
CONFIG_VOLUME = "hub-config"
GUARD = "packages/bricsauthenticator/src/bricsauthenticator/hub_guard"
"""The checks of requests that a hub has also with a site's own authenticator and spawner."""

SETTINGS_VOLUME = "hub-settings"
CREDENTIAL_VOLUME = "hub-credentials"
UID = 1000
API_PORT = 8081
CONFIG = "/etc/jupyterhub"
SETTINGS = "/etc/hubpod/hub_config.d"
"""Directory of the site's own settings, which only the hub can read."""

DATA = "/srv/jupyterhub"
DATA_VOLUME = "hub-data"
READY = ("hubpod-ready",)
RENEW = ("hubpod-preload", "--again")
"""Forks a new hub from a process that has imported all modules but the source's (containers/jupyterhub/preload.py)."""

CA_BUNDLE = "ca-bundle.pem"
"""Read by the image's entry point, which adds it to the system's authorities."""

SUBMITTING_LINE = r"Submitting the job of {user} with"
SUBMITTED_LINE = r"Job {job} of \S+ is submitted"
PORT_REPORTED_LINE = r"201 POST \S*/hub/api/batchspawner \({user}@"
LISTENS_LINE = r"Job {job} of \S+ listens on"
"""Patterns of the hub's log during a spawn, for one user and job."""

CRYPT_KEY = Credential(
    name="crypt_key",
    generate=new_token,
    check=check_crypt_key,
    normalize=bytes.strip,
    protects=DATA_VOLUME,
    protects_what="every user's login state",
)
"""Encrypts auth_state in the hub's database, by the first of several keys (jupyterhub/crypto.py)."""

SHARED_LOGIN = """\
    ControlMaster auto
    ControlPath /tmp/ssh-%C
    ControlPersist 300
"""
"""Commands share one SSH connection, which stays open for five minutes after the last command.

ServerAlive detects a dead connection, and the next command opens a new one. A command also opens a connection of its
own if the host refuses further sessions on the shared one.
"""


def spec(site: Site) -> ContainerSpec:
    """Describe the hub with its configuration, credentials and data."""
    parts = (CONFIG_VOLUME, SETTINGS_VOLUME, CREDENTIAL_VOLUME, DATA_VOLUME)
    config, settings, credentials, data = (site.instance.volume(part) for part in parts)
    code, code_seeds = mount_source(site, SOURCE, SOURCE_VOLUME)
    container = Container(
        name=NAME,
        image=site.images[IMAGE],
        env={
            **site.settings.variables(secret=False),
            "DEPLOY_CONFIG_SSH_HOSTNAME": str(slurm.ssh_address(site)),
            "DEPLOY_CONFIG_HUB_CONNECT_URL": connect_url(site),
            **_subdomain_variable(site),
        },
        mounts=(
            Mount(volume=config, path=CONFIG, read_only=True),
            Mount(volume=settings, path=SETTINGS, read_only=True),
            Mount(volume=credentials, path=CREDENTIALS, read_only=True),
            Mount(volume=data, path=DATA),
            *code,
        ),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        ports=(site.hub_api,) if site.hub_api else (),
        uid=UID,
        ready=READY,
        waits_for="what a spawn needs",
        renew=RENEW if code else (),
    )
    seeds = (
        _config_seed(site, config),
        _settings_seed(site, settings),
        _credential_seed(site, credentials),
        _data_seed(data),
    )
    return ContainerSpec(container=container, seeds=(*seeds, *code_seeds))


def connect_url(site: Site) -> str:
    """Return the URL at which users' servers reach the hub's API."""
    if site.instance.environment.slurm.in_pod:
        return f"http://{site.instance.pod('')}:{API_PORT}"
    return site.settings.hub_connect_url


def _subdomain_variable(site: Site) -> dict[str, str]:
    host = subdomains.complete(site.settings.subdomain_host, site.port)
    return {"DEPLOY_CONFIG_SUBDOMAIN_HOST": host} if host else {}


def _config_seed(site: Site, volume: str) -> Seed:
    """Compose the configuration from the core and the fragments of the axis values."""
    directory = site.volumes / "jupyterhub"
    fragments = [
        File(path=f"fragments/{name}", content=(directory / "axes" / name).read_bytes())
        for name in (
            f"{type(value).__name__.lower()}_{value.name.lower()}.py" for value in site.instance.environment.axes
        )
        if (directory / "axes" / name).exists()
    ]
    base_url = site.settings.base_url.rstrip("/")
    wanted = needs.render(
        site.instance.environment, login_page=proxy.login_page(base_url), api_path=f"{base_url}/hub/api/"
    )
    files = (
        *files_below(directory / "core"),
        *files_below(site.volumes.parent / GUARD, "hub_guard/"),
        *fragments,
        File(path="ssh_config", content=_ssh_config(slurm.ssh_address(site)).encode()),
        File(path="needs.json", content=wanted),
    )
    return Seed(volume=volume, kind=SeedKind.CONFIG, files=files)


def _settings_seed(site: Site, volume: str) -> Seed:
    files = tuple(
        File(path=name, content=content, mode=0o400, uid=UID, gid=UID) for name, content in site.hub_config.items()
    )
    return Seed(volume=volume, kind=SeedKind.SETTINGS, files=files, mode=0o500, uid=UID, gid=UID)


def _ssh_config(address: SshAddress) -> str:
    """Render two SSH aliases of the Slurm host: a connection per command, and a shared one."""
    options = _ssh_options(address)
    return f"Host slurm\n{options}\nHost slurm-shared\n{options}{SHARED_LOGIN}"


def _ssh_options(address: SshAddress) -> str:
    """Render options that admit only the hub's own key and only a pinned host key."""
    return f"""\
    HostName {address.host}
    Port {address.port}
    User jupyterspawner
    IdentityFile {CREDENTIALS}/ssh_client_key
    IdentitiesOnly yes
    UserKnownHostsFile {CREDENTIALS}/ssh_known_hosts
    GlobalKnownHostsFile none
    StrictHostKeyChecking yes
    UpdateHostKeys no
    BatchMode yes
    PreferredAuthentications publickey
    ClearAllForwardings yes
    RequestTTY no
    ConnectTimeout 5
    ServerAliveInterval 5
    ServerAliveCountMax 3
    LogLevel ERROR
"""


def _credential_seed(site: Site, volume: str) -> Seed:
    variables = {
        "CONFIGPROXY_AUTH_TOKEN": site.credentials[proxy.TOKEN],
        "JUPYTERHUB_CRYPT_KEY": site.credentials[CRYPT_KEY],
        **{name: value.encode() for name, value in site.settings.variables(secret=True).items()},
        # A proxy's URL may contain a password.
        **{name: value.encode() for name, value in site.proxies.items()},
    }
    contents = {
        "ssh_client_key": site.key_files.ssh_client_key or site.credentials[slurm.CLIENT_KEY],
        "ssh_known_hosts": site.key_files.ssh_known_hosts
        or slurm.known_hosts(site.credentials, slurm.ssh_address(site).host),
        **{f"env/{name}": value for name, value in variables.items()},
        **({CA_BUNDLE: site.key_files.ca_bundle} if site.key_files.ca_bundle else {}),
    }
    files = tuple(File(path=path, content=content, mode=0o400, uid=UID, gid=UID) for path, content in contents.items())
    return Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=files, mode=0o500, uid=UID, gid=UID)


def _data_seed(volume: str) -> Seed:
    return Seed(volume=volume, kind=SeedKind.DATA, mode=0o700, uid=UID, gid=UID)


COMPONENT = Component(
    name=NAME,
    purpose="JupyterHub: logs users in and starts their servers",
    image=Image(name=IMAGE),
    spec=spec,
    sources=(SOURCE,),
    credentials=(CRYPT_KEY,),
    after=(slurm.NAME,),
    ready=READY,
    backed_up=(DATA_VOLUME,),
    ports={Client.SERVER: API_PORT},
)
