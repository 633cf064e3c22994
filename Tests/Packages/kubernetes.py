"""Holds the manifests of config/kubernetes against Kubernetes' schemas, and against what Tapline needs of them.

    kubernetes.py TAPLINE FOLDER

Prints what is wrong and ends with 1, or says in a line what was checked. The schemas are those that the package
kubernetes-validate carries; what a pod must be by the restricted Pod Security Standard, and what the times and the
configurations in it must be to each other, no schema knows.
"""

import pathlib
import re
import subprocess
import sys
import tempfile

import kubernetes_validate
import yaml

# The first version with native sidecars on by default, and the newest that the package has.
OLDEST = {"sidecar.yaml": "1.29", "job.yaml": "1.29", "deployment.yaml": "1.30"}

mistakes = []


def say(place, message):
    mistakes.append(f"{place}: {message}")


def seconds(text):
    number, unit = re.fullmatch(r"(\d+)(ms|s|m|h)", text).groups()
    return int(number) * {"ms": 0.001, "s": 1, "m": 60, "h": 3600}[unit]


def check_container(place, container):
    """The restricted standard, and a file system that nothing can be left in."""
    context = container.get("securityContext", {})
    wanted = {"allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]}}
    for key, value in wanted.items():
        if context.get(key) != value:
            say(place, f"securityContext.{key} is {context.get(key)}, not {value}")
    for mount in container.get("volumeMounts", []):
        if "subPath" in mount or "subPathExpr" in mount:
            say(place, f"the volume {mount['name']} is mounted with subPath, and would never change")


def check_pod(place, pod, maps, tapline):
    context = pod.get("securityContext", {})
    if not context.get("runAsNonRoot") or context.get("seccompProfile", {}).get("type") != "RuntimeDefault":
        say(place, "the pod's securityContext is not the restricted standard's")
    volumes = {volume["name"]: volume for volume in pod.get("volumes", [])}
    for name, volume in volumes.items():
        if "emptyDir" in volume and "sizeLimit" not in volume["emptyDir"]:
            say(place, f"the emptyDir {name} has no sizeLimit")
    sidecars = pod.get("initContainers", [])
    for container in sidecars + pod["containers"]:
        check_container(f"{place}, container {container['name']}", container)
    for container in sidecars:
        if container.get("restartPolicy") != "Always" or "startupProbe" not in container:
            say(place, f"{container['name']} is no native sidecar with a startup probe")
        if "preStop" in container.get("lifecycle", {}):
            say(place, f"{container['name']} has a preStop hook, which would run while the application works")
    found = [container for container in sidecars + pod["containers"] if container["name"] == "tapline"]
    if len(found) != 1:
        say(place, "there is no container called tapline")
        return
    check_tapline(place, found[0], pod, volumes, maps, tapline)


def check_tapline(place, container, pod, volumes, maps, tapline):
    """The configuration that is mounted, as the binary sees it, and how it fits the pod around it."""
    mounts = {mount["mountPath"]: mount for mount in container["volumeMounts"]}
    configuration = volumes[mounts["/etc/tapline"]["name"]]["configMap"]["name"]
    files = maps.get(configuration)
    if files is None:
        say(place, f"the ConfigMap {configuration} is not in the file")
        return
    with tempfile.TemporaryDirectory() as folder:
        for name, text in files.items():
            pathlib.Path(folder, name).write_text(text)
        path = container["args"][container["args"].index("--config") + 1]
        path = pathlib.Path(folder, pathlib.PurePath(path).relative_to("/etc/tapline"))
        checked = subprocess.run([tapline, "check", path], capture_output=True, text=True)
        if checked.returncode:
            say(place, "tapline check: " + checked.stderr.strip().replace(folder, configuration))
            return
        settings = yaml.safe_load(path.read_text())
        relays = settings.get("relays", [])
        for name, text in files.items():
            if name != path.name:
                relays += yaml.safe_load(text)["relays"]
    hook = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    drain = seconds(settings["shutdown"]["drain"])
    if hook + drain >= pod["terminationGracePeriodSeconds"]:
        say(place, f"preStop and shutdown.drain take {hook + drain} s of a grace period that is not longer")
    writable = [path for path, mount in mounts.items() if not mount.get("readOnly")]
    for relay in relays:
        if "record" in relay and relay["record"]["directory"] not in writable:
            say(place, f"relay {relay['name']} records to {relay['record']['directory']}, which is no volume to write in")
    admin = settings["admin"]["listen"]
    if admin.startswith("unix:") and str(pathlib.PurePath(admin[5:]).parent) not in writable:
        say(place, f"the admin socket {admin} is in no volume to write in")
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        check_probe(place, probe, container.get(probe, {}), container, admin, tapline)


def check_probe(place, name, probe, container, admin, tapline):
    if "exec" in probe:
        words = probe["exec"]["command"]
        # Where no tapline runs: it says so, or what is wrong with the words.
        probed = subprocess.run([tapline, *words[1:], "--admin", "unix:/nowhere"], capture_output=True, text=True)
        if words[0] != "tapline" or probed.returncode != 1 or "nothing listens at" not in probed.stderr:
            say(place, f"{name}: {' '.join(words)} is no command of tapline's: {probed.stderr.strip()}")
        bound = words[words.index("--timeout") + 1]
        if bound != "0" and seconds(bound) >= probe["timeoutSeconds"]:
            say(place, f"{name}: the kubelet gives up before tapline says why")
    if "httpGet" in probe:
        ports = {port["name"]: port["containerPort"] for port in container["ports"]}
        if not admin.endswith(f":{ports[probe['httpGet']['port']]}"):
            say(place, f"{name} asks a port that the admin API is not at")
        if probe["httpGet"]["path"] not in ("/readyz", "/healthz"):
            say(place, f"{name} asks for {probe['httpGet']['path']}, which needs the token")


def main():
    tapline, folder = sys.argv[1:3]
    newest = kubernetes_validate.latest_version()
    documents = 0
    for path in sorted(pathlib.Path(folder).glob("*.yaml")):
        manifests = [manifest for manifest in yaml.safe_load_all(path.read_text()) if manifest]
        maps = {
            manifest["metadata"]["name"]: manifest["data"] for manifest in manifests if manifest["kind"] == "ConfigMap"}
        for manifest in manifests:
            documents += 1
            place = f"{path.name}, {manifest['kind']} {manifest['metadata']['name']}"
            for version in (OLDEST[path.name], newest):
                try:
                    kubernetes_validate.validate(manifest, version, strict=True)
                except kubernetes_validate.ValidationError as error:
                    say(f"{place}, by {version}", f"{'.'.join(map(str, error.path))}: {error.message}")
            template = manifest.get("spec", {}).get("template")
            if template:
                check_pod(place, template["spec"], maps, tapline)
    if mistakes:
        sys.exit("\n".join(mistakes))
    print(f"kubernetes: {documents} documents are good from {min(OLDEST.values())} to {newest}")


main()
