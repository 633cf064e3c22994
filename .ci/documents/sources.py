"""What the generated documents are made from: the program's own help, the schemas and the sources."""

import json
import pathlib
import re
import subprocess
from collections import namedtuple

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent

Key = namedtuple("Key", "path type default required description changes")
Reason = namedtuple("Reason", "name closed_by description")
Metric = namedtuple("Metric", "name kind labels help")
Message = namedtuple("Message", "level text fields")


def help_of(source):
    """The description of the command line by swift-argument-parser: a dump in a file (.json), or of a binary."""
    if source.endswith(".json"):
        return json.loads(pathlib.Path(source).read_text())["command"]
    dump = subprocess.run([source, "--experimental-dump-help"], check=True, capture_output=True).stdout
    return json.loads(dump)["command"]


def commands(root):
    """The subcommands that help shows."""
    return [c for c in root["subcommands"] if c.get("shouldDisplay", True) and c["commandName"] != "help"]


def shown(command):
    """The arguments that help shows."""
    return [argument for argument in command.get("arguments", []) if argument["shouldDisplay"]]


# MARK: The configuration


def schema():
    return json.loads((ROOT / "config/tapline.schema.json").read_text())


def resolved(part, root):
    """A part of the schema, with what its reference says beneath its own words."""
    while "$ref" in part:
        target = root
        for name in part["$ref"].removeprefix("#/").split("/"):
            target = target[name]
        part = {**target, **{key: value for key, value in part.items() if key != "$ref"}}
    return part


def type_of(part, root):
    """What may stand there, in a few words."""
    reference = part.get("$ref", "").split("/")[-1]
    if reference in ("duration", "size"):
        return reference
    if reference == "listen_address":
        return "address"
    if reference == "upstream":
        return "address"
    part = resolved(part, root)
    if part.get("type") == "object":
        return "mapping"
    if part.get("type") == "array":
        return "list"
    alternatives = part.get("anyOf", [part])
    words, kinds = [], []
    for alternative in alternatives:
        name = alternative.get("$ref", "").split("/")[-1]
        if name == "variable" or alternative.get("const") is False:
            continue
        if "enum" in alternative:
            words += [f"`{word}`" for word in alternative["enum"]]
        elif "const" in alternative:
            words.append(f"`{alternative['const']}`")
        elif name == "listen_address":
            kinds.append("address")
        elif alternative.get("type") == "array":
            kinds.append("list")
        elif alternative.get("type") == "object":
            kinds.append("mapping")
        elif alternative.get("type") in ("integer", "number"):
            least, most = alternative.get("minimum"), alternative.get("maximum")
            kinds.append(f"number {least} to {most}" if most is not None and least is not None else "number")
        elif alternative.get("type") == "boolean":
            kinds.append("boolean")
        elif alternative.get("type") == "string" and not any("number" in kind for kind in kinds):
            kinds.append("text")
    if "boolean" in kinds:
        return "`true` or `false`"
    if set(words) >= {"`true`", "`false`"}:
        words = []
    both = words + list(dict.fromkeys(kinds))
    return " or ".join(both) if len(both) < 4 else ", ".join(both[:-1]) + " or " + both[-1]


def configuration_keys():
    """Every key, in the order of the schema: (path of its mapping, [Key])."""
    root, sections = schema(), []

    def walk(part, path, inherited):
        rows, deeper = [], []
        for name, property in part["properties"].items():
            full = resolved(property, root)
            inner = full
            if full.get("type") == "array":
                inner = resolved(full["items"], root)
            nested = next(
                (resolved(a, root) for a in [inner, *inner.get("anyOf", [])] if "properties" in resolved(a, root)), None)
            description = full["description"]
            changes = "new connections" if "A change applies to new connections" in description else \
                "restart" if "Needs a restart" in description else inherited
            default = full.get("default")
            rows.append(Key(
                name, "list of mappings" if full.get("type") == "array" and nested else type_of(property, root),
                None if default is None or default == [] else json.dumps(default).strip('"'),
                name in part.get("required", []), description, changes))
            if nested:
                suffix = "[]" if full.get("type") == "array" else ""
                deeper.append((nested, (path + "." if path else "") + name + suffix, changes))
        sections.append((path, rows))
        for inner, inner_path, changes in deeper:
            walk(inner, inner_path, changes)

    walk(root, "", "at once")
    return sections


# MARK: The sources


def swift(path):
    return (ROOT / path).read_text()


def reasons():
    """The closed list of end reasons with their documentation, in its order."""
    text = swift(next(str(p.relative_to(ROOT)) for p in (ROOT / "Sources").rglob("EndReason.swift")))
    names, found = {}, []
    for comment, case, value in re.findall(
            r"((?:    /// .*\n)+)    case (\w+)(?: = \"(\w+)\")?\n", text.split("public enum EndReason", 1)[1]):
        words = " ".join(line.strip().removeprefix("/// ") for line in comment.strip().split("\n"))
        names[case] = (value or case, words)
    mapping = text.split("public var closedBy", 1)[1]
    by = {}
    for cases, side in re.findall(r"case ([^:]*):\s*\.(client|upstream|tapline)", mapping):
        for case in re.findall(r"\.(\w+)", cases):
            by[case] = side
    # The record names the side of the session.
    sessions = re.search(r"isOfSession.*?case ([^:]*): true", text, re.S)
    for case in re.findall(r"\.(\w+)", sessions.group(1)):
        by[case] = "the side"
    for case, (name, words) in names.items():
        found.append(Reason(name, by[case], words))
    return found


def metrics():
    """Every metric with its kind, its labels and its HELP text, in the order of /metrics."""
    found = []
    for path in sorted((ROOT / "Sources/Admin/Metrics").glob("*.swift")):
        text = path.read_text()
        labels = {}
        for name, inner in re.findall(r'text\.sample\(\s*"(\w+)",\s*\[(.*?)\],', text, re.S):
            for label in re.findall(r'\("(\w+)",', inner):
                if label not in labels.setdefault(name, []):
                    labels[name].append(label)
        for match in re.finditer(r'text\.metric\(\s*"(\w+)", \.(\w+),\s*(?=")', text):
            name, kind = match.groups()
            if kind == "histogram":
                labels[name] = ["relay", "le"]
            found.append(Metric(name, kind, labels.get(name, []), concatenated(text, match.end())))
    return found


def literal(text, start):
    """The string literal of Swift that begins at `start`, with a placeholder for each interpolation, and its end."""
    is_block = text.startswith('"""', start)
    quotes = '"""' if is_block else '"'
    at, words = start + len(quotes), []
    while not text.startswith(quotes, at):
        if text.startswith("\\(", at):
            end = closing(text, at + 1)
            inner = text[at + 2:end]
            names = re.findall(r"[A-Za-z]+", inner)
            words.append("<" + (names[-1].lower() if names and re.fullmatch(r"[\w.]+", inner) else "…") + ">")
            at = end + 1
        elif is_block and (match := re.compile(r"\\?\n\s*").match(text, at)):
            words.append("" if match[0][0] == "\\" else " ")
            at = match.end()
        elif text[at] == "\\":
            words.append(text[at + 1])
            at += 2
        else:
            words.append(text[at])
            at += 1
    return "".join(words), at + len(quotes)


def concatenated(text, start):
    """The words of the literals from `start` on that are joined with `+`."""
    words, at = literal(text, start)
    while match := re.compile(r'\s*\+\s*(?=")').match(text, at):
        more, at = literal(text, match.end())
        words += more
    return words.strip()


def closing(text, start):
    """Where the parenthesis that opens at `start` closes; those in literals do not count."""
    depth, at = 0, start
    while True:
        if text[at] == '"':
            at = literal(text, at)[1]
            continue
        depth += {"(": 1, ")": -1}.get(text[at], 0)
        if depth == 0:
            return at
        at += 1


def messages():
    """The messages of the log: literals in calls of a logger, and events of the process that are announced."""
    call = re.compile(
        r"(?:logger\.(?:(trace|debug|info|notice|warning|error|critical)\(|log\(\s*level: [^\"]*?,|noteChange\()|(?:announcer\.|\s)(announce)\()"
        r'\s*(?=")')
    found = {}
    for path in sorted((ROOT / "Sources").rglob("*.swift")):
        source = path.read_text()
        for match in call.finditer(source):
            text, end = literal(source, match.end())
            text = text.strip()
            if not re.sub(r"<[^>]*>", "", text).strip(" :;,."):
                continue  # the words come from elsewhere
            level = match[1] or "notice"
            metadata = re.compile(r"\s*,\s*(?:metadata|particulars): \[(.*?)\]\)", re.S).match(source, end)
            fields = re.findall(r'"(\w+)":', metadata[1]) if metadata else []
            if "noteChange" in match[0]:
                fields.append("requester")
            found.setdefault((text, level), Message(level, text, fields))
    order = ["critical", "error", "warning", "notice", "info", "debug", "trace"]
    return sorted(found.values(), key=lambda message: (order.index(message.level), message.text.lower()))


def environment_names():
    """The names of environment variables that the sources contain, without those between processes of Tapline's."""
    found = set()
    for path in (ROOT / "Sources").rglob("*.swift"):
        found |= set(re.findall(
            r'"((?:TAPLINE|XDG)_[A-Z_]+|SSL_CERT_FILE|SSLKEYLOGFILE|NO_COLOR|FORCE_COLOR|CLICOLOR_FORCE|LISTEN_FDS|NOTIFY_SOCKET|WATCHDOG_USEC|TERM|LC_ALL|TZ)"', path.read_text()))
    return found - {"TAPLINE_HANDOVER"}
