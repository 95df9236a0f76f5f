"""Mistakes in what happens to volumes, keys and records when a command fails, is killed or rolls back."""

from power.fault import Fault

APPLY = "hubpod/deployment/apply.py"
SEEDING = "hubpod/deployment/seeding.py"
ROLLBACK = "hubpod/deployment/rollback.py"

DATA = (
    Fault(
        name="homes-removed-by-a-failed-up",
        file=APPLY,
        old="[seed.volume for seed in recreated if seed.volume in existing]",
        new="list(existing)",
        breaks="An `up` that fails removes everybody's homes and the hub's database.",
    ),
    Fault(
        name="data-seeded-again",
        file=SEEDING,
        old="elif seed.kind.follows_seed and digests",
        new="elif digests",
        breaks="Each `up` empties the homes.",
    ),
    Fault(
        name="half-created-data-used",
        file=SEEDING,
        old="return seed.kind is SeedKind.DATA and written.get(seed.volume) == UNFINISHED",
        new="return False",
        breaks="A volume whose first fill was killed has the wrong owner, and the hub cannot write its database.",
    ),
    Fault(
        name="deleted-fragment-kept",
        file=SEEDING,
        old="if current and contents(current).keys() <= contents(archive).keys():",
        new="if current:",
        breaks="A fragment that a site has removed stays in force.",
    ),
    Fault(
        name="volume-not-emptied",
        file="hubpod/podman/volumes.py",
        old="find /volume -mindepth 1 -delete && tar",
        new="tar",
        breaks="A fragment that a site has removed stays in force after an interrupted command.",
    ),
    Fault(
        name="half-written-volume-believed",
        file=SEEDING,
        old="    note_written(context.workspace, site.instance, dict.fromkeys(archives, UNFINISHED))\n",
        new="",
        breaks="After a full disk half of a configuration counts as the whole.",
    ),
    Fault(
        name="content-not-restored",
        file="hubpod/deployment/refresh.py",
        old="if not keep and update.can_be_undone:",
        new="if keep and update.can_be_undone:",
        breaks="An edit that breaks the hub leaves it broken.",
    ),
    Fault(
        name="tmpfs-volumes-by-the-pods-name",
        file="hubpod/deployment/remove.py",
        old="podman_manifest.tmpfs_prefix(instance.resource)",
        new="instance.resource",
        breaks="Removing a pod removes all volumes of its instance, and of instances whose names begin like it.",
    ),
    Fault(
        name="labels-of-any-instance",
        file="hubpod/podman/cli.py",
        old='            if labels.items() <= (row.get("Labels") or {}).items()\n',
        new="",
        breaks="The command `down --volumes` of one instance removes the homes of all.",
    ),
    Fault(
        name="volumes-removed-unasked",
        file="hubpod/commands/down.py",
        old="        if volumes:\n",
        new="        if found.volumes:\n",
        breaks="The command `down` removes everybody's homes.",
    ),
    Fault(
        name="database-not-copied",
        file="hubpod/commands/production.py",
        old="database = difference is Difference.POD",
        new="database = difference is Difference.CONTENT",
        breaks="A failed upgrade leaves the database that the new version has changed.",
    ),
    Fault(
        name="rolled-back-version-believed",
        file=ROLLBACK,
        old="    context.workspace.files(instance).update_record(written=backup.written, manifest=backup.manifest)\n",
        new="",
        breaks="After a rollback the next upgrade to the same version reports that nothing changed.",
    ),
    Fault(
        name="restoration-not-finished",
        file=ROLLBACK,
        old="if backup and (directory / RESTORING).exists():",
        new="if backup and not (directory / COMPLETE).exists():",
        breaks="After a rollback that was killed the hub runs on half of its database.",
    ),
    Fault(
        name="copies-of-long-ago-restored",
        file=APPLY,
        old="    files.remove_backup()\n",
        new="",
        breaks="A failed upgrade restores the database of an upgrade that was killed weeks ago.",
    ),
    Fault(
        name="homes-readable-by-all",
        file="containers/slurm/bin/hubpod-homes",
        old='chmod 0700 "$home.new"',
        new='chmod 0755 "$home.new"',
        breaks="Everybody can read everybody's files.",
    ),
    Fault(
        name="homes-made-again",
        file="containers/slurm/bin/hubpod-homes",
        old='[ -e "$home" ] && continue',
        new='[ -e "$home.old" ] && continue',
        breaks="A restart of Slurm replaces everybody's homes by empty ones.",
    ),
    Fault(
        name="half-a-home-counts",
        file="containers/slurm/bin/hubpod-homes",
        old='mv -T "$home.new" "$home"',
        new='mkdir -p "$home"; cp -r "$home.new/." "$home"; rm -r "$home.new"',
        breaks="Homes belong to root, and no user can start a server.",
    ),
    Fault(
        name="files-written-in-place",
        file="hubpod/system/private_files.py",
        old='new = path.with_name(f"{path.name}.{secrets.token_hex(4)}.new")',
        new="new = path.unlink(missing_ok=True) or path",
        breaks="A full disk leaves an empty key or record in place of the good one.",
    ),
    Fault(
        name="damaged-key-accepted",
        file="hubpod/settings/credentials.py",
        old="        credential.check(content)\n",
        new="        credential.check(credential.generate())\n",
        breaks="Half of a key reaches the containers, and the hub ends with a traceback.",
    ),
    Fault(
        name="import-before-a-check",
        file="hubpod/commands/volumes.py",
        old="    _require_archive(archive)\n",
        new="",
        breaks="An archive that is not complete replaces the homes.",
    ),
    Fault(
        name="instance-locked-per-checkout",
        file="hubpod/context.py",
        old='lock = user_lock(f"{instance.environment.name}.{instance.name}")',
        new='lock = self.workspace.project / f"{instance.environment.name}.{instance.name}"',
        breaks="Two checkouts that bring up the same instance remove each other's pod and volumes.",
    ),
)
