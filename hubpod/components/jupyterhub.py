"""The hub: its configuration, composed of one fragment per axis value, and its credentials."""

from hubpod.components.site import CREDENTIALS, Component, Site, files_below, mounted_source
from hubpod.pod import Container, File, Mount, Seed, SeedKind
from hubpod.settings.deploy_configmap import Settings

NAME = "jupyterhub"
SOURCE = "bricsauthenticator"
SOURCE_VOLUME = "hub-source"
UID = 1000
API_PORT = 8081
CONFIG = "/etc/jupyterhub"
DATA = "/srv/jupyterhub"
DATA_VOLUME = "hub-data"
READY: tuple[str, ...] = ("hubpod-ready",)
READY_LINE = ""
RENEW = ("hubpod-preload", "--again")
"""The image of development keeps what nobody edits imported (containers/jupyterhub/preload.py)."""
SHARED_LOGIN = """\
    ControlMaster auto
    ControlPath /tmp/ssh-%C
    ControlPersist 300
"""
"""The first command's connection stays for those of the next five minutes. ServerAlive notices one that is dead, and
the next command makes another; where the host takes no more sessions on one, a command gets one for itself."""


def component(site: Site) -> Component:
    """The hub with its configuration, credentials and data."""
    config, credentials, data = (site.instance.volume(part) for part in ("hub-config", "hub-credentials", DATA_VOLUME))
    code, code_seeds = mounted_source(site, SOURCE, SOURCE_VOLUME)
    container = Container(
        name=NAME,
        image=site.images["jupyterhub"],
        env=site.settings.variables(secret=False),
        mounts=(
            Mount(volume=config, path=CONFIG, read_only=True),
            Mount(volume=credentials, path=CREDENTIALS, read_only=True),
            Mount(volume=data, path=DATA),
            *code,
        ),
        tmpfs=("/tmp",),  # noqa: S108 - a path inside the container
        ports=(site.hub_api,) if site.hub_api else (),
        uid=UID,
        ready=READY,
        waits_for="SSH to the Slurm host, and sudo there",
        renew=RENEW if code else (),
    )
    return Component(
        container=container,
        seeds=(_config_seed(site, config), _credential_seed(site, credentials), _data_seed(data), *code_seeds),
    )


def _config_seed(site: Site, volume: str) -> Seed:
    """The core fragment and exactly the fragments that the environment's axes name."""
    folder = site.volumes / "jupyterhub"
    fragments = [
        File(path=f"fragments/{name}", content=(folder / "axes" / name).read_bytes())
        for name in (
            f"{type(value).__name__.lower()}_{value.name.lower()}.py" for value in site.instance.environment.axes
        )
        if (folder / "axes" / name).exists()
    ]
    ssh_config = File(path="ssh_config", content=_ssh_config(site.settings).encode())
    files = (*files_below(folder / "core"), *fragments, ssh_config)
    return Seed(volume=volume, kind=SeedKind.CONFIG, files=files)


def _ssh_config(settings: Settings) -> str:
    """How the hub reaches the Slurm host: with a login for each command, or with one that its commands share."""
    return f"Host slurm\n{_ssh_options(settings)}\nHost slurm-shared\n{_ssh_options(settings)}{SHARED_LOGIN}"


def _ssh_options(settings: Settings) -> str:
    """Only with the hub's own key, only to a host whose key is pinned."""
    return f"""\
    HostName {settings.ssh_hostname}
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
        "CONFIGPROXY_AUTH_TOKEN": site.credentials.proxy_token,
        "JUPYTERHUB_CRYPT_KEY": site.credentials.crypt_key,
        **{name: value.encode() for name, value in site.settings.variables(secret=True).items()},
    }
    contents = {
        "ssh_client_key": site.ssh_client_key,
        "ssh_known_hosts": site.ssh_known_hosts,
        **{f"env/{name}": value for name, value in variables.items()},
    }
    files = tuple(File(path=path, content=content, mode=0o400, uid=UID, gid=UID) for path, content in contents.items())
    return Seed(volume=volume, kind=SeedKind.CREDENTIAL, files=files, mode=0o500, uid=UID, gid=UID)


def _data_seed(volume: str) -> Seed:
    return Seed(volume=volume, kind=SeedKind.DATA, mode=0o700, uid=UID, gid=UID)
