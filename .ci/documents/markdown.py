"""The pages of docs/reference that are generated, as Markdown."""

import re

import facts
import sources

NOTE = "<!-- `make docs` generates this page from {}. Do not edit it. -->"


def cell(text):
    """The text of a cell: outside of code, stars and brackets stand for themselves."""
    parts = text.replace("|", "\\|").replace("\n", " ").split("`")
    parts[::2] = [part.replace("*", "\\*").replace("<", "\\<") for part in parts[::2]]
    return "`".join(parts)


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "| " + " | ".join("---" for _ in heads) + " |"]
    return "\n".join(lines + ["| " + " | ".join(cell(entry) for entry in row) + " |" for row in rows])


def page(title, source, first, *parts):
    return "\n\n".join([f"# {title}", NOTE.format(source), first, *[part for part in parts if part]]) + "\n"


# MARK: The configuration


def configuration():
    names = {"": "The whole file"}
    parts = []
    for path, rows in sources.configuration_keys():
        parts.append(f"## {names.get(path, f'`{path}`')}")
        parts.append(table(
            ["key", "value", "default", "a change applies", "meaning"],
            [[f"`{key.path}`", key.type, "required" if key.required else f"`{key.default}`" if key.default else "-",
              key.changes, key.description] for key in rows]))
    definitions = sources.schema()["$defs"]
    return page(
        "Configuration", "config/tapline.schema.json",
        "This page lists every key of `tapline.yaml`, with its values, its default and its meaning.",
        "[`config/tapline.yaml`](../../config/tapline.yaml) shows every key in a file that runs as it is, and"
        " [`config/examples`](../../config/examples) has a file for each use. An editor checks a file against"
        " [`config/tapline.schema.json`](../../config/tapline.schema.json); `tapline check` finds more, and reports every error"
        " with file, line and column. `man 5 tapline.yaml` is this page.",
        table(["value", "form"], [
            ["duration", definitions["duration"]["description"] + " Examples: `250ms`, `5s`, `10m`, `1h`."],
            ["size", definitions["size"]["description"] + " Examples: `64KiB`, `100MB`."],
            ["address", "`PORT` (loopback), `*:PORT`, `IP:PORT`, `[IPv6]:PORT`, `unix:PATH`, `unix:@NAME`. An upstream also"
             " takes `HOST:PORT`."],
            ["`${NAME}`, `${NAME:-default}`", "In any value: an environment variable. A variable that is unset and has no"
             " default is an error. `$$` is a dollar sign."],
        ]),
        "YAML needs quotes around `\"*:8080\"`, `\"[::1]:8080\"` and, between braces, `\"${NAME}\"`. Relative paths start at the"
        " directory of the main configuration file.",
        *parts)


# MARK: Commands


def spelling(argument):
    if argument["kind"] == "positional":
        word = f"<{argument['valueName']}>"
    else:
        names = sorted(("--" if n["kind"] == "long" else "-") + n["name"] for n in argument["names"])
        names.sort(key=len)
        word = ", ".join(names)
        if argument["kind"] == "option":
            word += f" <{argument['valueName']}>"
    return word + (" ..." if argument["isRepeating"] else "")


def synopsis(command, name):
    words = [f"tapline {name}".strip()]
    for argument in sources.shown(command):
        if argument["valueName"] in ("help", "version") and argument["kind"] == "flag":
            continue
        word = spelling(argument).split(", ")[-1]
        words.append(f"[{word}]" if argument["isOptional"] else word)
    lines, line = [], ""
    for word in words:
        if line and len(line) + 1 + len(word) > 100:
            lines.append(line)
            line = "   "
        line = f"{line} {word}" if line else word
    return "```text\n" + "\n".join(lines + [line]) + "\n```"


def discussion(text):
    """Lines that stand indented become blocks."""
    lines, is_code = [], False
    for line in text.strip("\n").split("\n"):
        if line.strip() and line.startswith("  ") != is_code:
            is_code = not is_code
            lines.append("```text" if is_code else "```")
        lines.append(line[2:] if is_code else line)
    if is_code:
        while not lines[-1].strip():
            lines.pop()
        lines.append("```")
    text = "\n".join(lines)
    while "\n\n```\n" in text:
        text = text.replace("\n\n```\n", "\n```\n\n")
    return text.replace("<", "\\<") if "```" not in text else text


def check_examples(every):
    """An error for an example with a command or an option that does not exist."""
    options = {c["commandName"]: {"--" + n["name"] for a in sources.shown(c) for n in a.get("names", [])} for c in every}
    for name, examples in facts.EXAMPLES.items():
        if name and name not in options:
            raise SystemExit(f"reference: .ci/documents/facts.py, EXAMPLES: no command `{name}`")
        for _, line in examples:
            for command, rest in re.findall(r"tapline ([a-z-]+)([^|&]*)", line):
                wrong = set(re.findall(r"--[a-z-]+", rest)) - options.get(command, set())
                if command not in options or wrong:
                    raise SystemExit(f"reference: .ci/documents/facts.py, EXAMPLES: `{line}` has no {command} {wrong or ''}")


def command_page(root):
    every = sources.commands(root)
    check_examples(every)
    common = common_arguments(every)
    parts = [table(["command", "does"], [
        [f"[`tapline {c['commandName']}`](#tapline-{c['commandName']})", c["abstract"]] for c in every])]
    if common:
        parts += [
            "The commands for a running Tapline have these options in common:",
            table(["option", "meaning"], [[f"`{spelling(a)}`", described(a)] for a in common])]
    for command in every:
        name = command["commandName"]
        own = [a for a in sources.shown(command) if a not in common and a["valueName"] not in ("help", "version")]
        examples = "\n".join(f"# {words}\n{line}" for words, line in facts.EXAMPLES.get(name, []))
        parts += [
            f"## tapline {name}", command["abstract"], synopsis(command, name),
            discussion(command.get("discussion", "")),
            own and table(["argument", "meaning"], [[f"`{spelling(a)}`", described(a)] for a in own]),
            examples and f"```sh\n{examples}\n```"]
    return page(
        "Commands", "`tapline --help`", "This page lists every command of `tapline` with its options.",
        "`tapline help COMMAND` prints the same text, and every command has a manual page, such as `man tapline-forward`."
        " [Exit statuses](exit-statuses.md) and [environment, files and signals](environment.md) have pages of their own.",
        *parts)


def common_arguments(commands):
    """What all commands for a running Tapline have."""
    clients = [c for c in commands if any("admin" in [n["name"] for n in a.get("names", [])] for a in sources.shown(c))]
    clients = [c for c in clients if c["commandName"] not in facts.SERVERS + facts.FILE_COMMANDS]
    if not clients:
        return []
    return [a for a in sources.shown(clients[0])
            if a["valueName"] not in ("help", "version") and all(a in sources.shown(c) for c in clients)]


def described(argument):
    words = argument.get("abstract", "")
    values = argument.get("allValues")
    if values and not all(value in words for value in values):
        words += f" Values: {', '.join(f'`{value}`' for value in values)}."
    if argument.get("defaultValue"):
        words += f" Default: `{argument['defaultValue']}`."
    return words


# MARK: Records, metrics, messages


def end_record_fields():
    """The keys of an end record in their order, with what the API's description says of each."""
    import yaml  # here, so that manual pages are made without it
    schemas = yaml.safe_load((sources.ROOT / "config/openapi.yaml").read_text())["components"]["schemas"]
    record = schemas["Record"]
    return [(key, record["properties"].get(key, {})) for key in record["required"]]


def end_records():
    rows = []
    for key, schema in end_record_fields():
        if not schema.get("description"):
            raise SystemExit(f"reference: config/openapi.yaml, Record: `{key}` has no description")
        rows.append([f"`{key}`", " ".join(schema["description"].split())])
    return page(
        "End records and reasons", "config/openapi.yaml and EndReason.swift",
        "This page explains every key of an end record, and every reason why a connection ends.",
        "Tapline writes one line when a connection ends, as `key=value` text or as JSON (`log.format`, `--log-format`). Every"
        " key is always present, in this order; a value that does not apply is `null`. The admin API (`/v1/closed`) has the"
        " same keys.",
        "## Keys", table(["key", "meaning"], rows),
        "For a recorded connection, `recorded_bytes` + `dropped_bytes` = `bytes_up` + `bytes_down`, unless `max_bytes` cut the"
        " recording.",
        "## Reasons",
        table(["`reason`", "`closed_by`", "meaning"], [
            [f"`{reason.name}`", reason.closed_by, reason.description] for reason in sources.reasons()]),
        "If there are several causes, the record has the first. `tapline why ID` explains a connection in sentences, with advice;"
        " [troubleshooting](../guide/troubleshooting.md) has examples of the common reasons.",
        "An urgent byte (`MSG_OOB`) stays in the stream, but the urgent mark is not passed on. A Unix socket has no reset: where a TCP"
        " side would be reset, a Unix side is closed, and the record has the reason.")


ROUTES = "<!-- `make docs` generates this table from config/openapi.yaml. -->", "<!-- The end of the generated table. -->"


def api():
    """The page on the API, which is written by hand but for the table of its routes."""
    import yaml
    paths = yaml.safe_load((sources.ROOT / "config/openapi.yaml").read_text())["paths"]
    rows = []
    for path, entry in paths.items():
        for method, operation in entry.items():
            if method in ("get", "post", "delete"):
                names = [q.get("name") or q["$ref"].split("/")[-1] for q in operation.get("parameters", [])]
                rows.append([f"`{method.upper()} {path}`", operation["summary"],
                             ", ".join(f"`{name}`" for name in names) or "-"])
    text = (sources.ROOT / "docs/reference/api.md").read_text()
    before, rest = text.split(ROUTES[0], 1)
    return before + ROUTES[0] + "\n\n" + table(["request", "answer", "parameters"], rows) + "\n\n" + ROUTES[1] + \
        rest.split(ROUTES[1], 1)[1]


def metrics():
    return page(
        "Metrics", "the HELP texts of `/metrics`",
        "This page lists every metric that `GET /metrics` returns for Prometheus.",
        "Counters never decrease while the process lives, also across reloads; after an upgrade they start at 0. No label has a"
        " separate value for each connection. [`config/grafana.json`](../../config/grafana.json) is a dashboard and"
        " [`config/alerts.yaml`](../../config/alerts.yaml) has alert rules.",
        table(["metric", "type", "labels", "meaning"], [
            [f"`{m.name}`", m.kind, ", ".join(f"`{label}`" for label in m.labels) or "-", m.help] for m in sources.metrics()]))


def log_messages():
    found, unused = sources.messages(), dict(facts.MESSAGES)
    parts, missing = [], []
    rows = {}
    for message in found:
        part = next((part for part in facts.MESSAGES if part in message.text), None)
        unused.pop(part, None)
        if part is None and message.level in ("critical", "error", "warning"):
            missing.append(message.text)
        meaning = facts.MESSAGES.get(part, "")
        if message.fields:
            meaning = (meaning + " " if meaning else "") + "Fields: " + ", ".join(f"`{f}`" for f in message.fields) + "."
        text = message.text.replace("``", "`").replace("`", "'")
        rows.setdefault(message.level, []).append([f"`{text}`", meaning or "-"])
    if missing or unused:
        raise SystemExit("\n".join(
            [f"reference: .ci/documents/facts.py, MESSAGES has nothing for: {text}" for text in missing]
            + [f"reference: .ci/documents/facts.py, MESSAGES: no message contains: {text}" for text in unused]))
    for level, entries in rows.items():
        parts += [f"## {level}", table(["message", "meaning"], entries)]
    return page(
        "Log messages", "the messages in the sources",
        "This page lists the messages that Tapline logs, by level, with what they mean and what to do.",
        "`log.level` sets the lowest level that is logged, and `log.format` text or JSON. A word in `<>` is a value. In"
        " JSON, the fields are keys of the line: numbers, `true` and `false` are not quoted, and everything else is a string. End"
        " records are separate: [end records and reasons](end-records.md).", *parts)


def exit_statuses():
    return page(
        "Exit statuses", ".ci/documents/facts.py", "This page lists the exit statuses of every `tapline` command.",
        table(["status", "name", "meaning"], [[str(s), name, words] for s, name, words in facts.EXIT_STATUSES]),
        "The statuses are those of sysexits.h. Under systemd, 64 and 78 do not restart the service (`RestartPreventExitStatus`):"
        " restarting does not fix a wrong configuration.")


def variables():
    """The variables that the sources read, and an error for one that is not described."""
    read = sources.environment_names()
    described = {name for name, _, _ in facts.ENVIRONMENT}
    if read - described:
        raise SystemExit(f"reference: .ci/documents/facts.py, ENVIRONMENT has nothing for: {', '.join(sorted(read - described))}")
    return [entry for entry in facts.ENVIRONMENT if entry[0] in read]


def environment():
    return page(
        "Environment, files and signals", ".ci/documents/facts.py",
        "This page lists the environment variables, files and signals that Tapline uses.",
        "## Environment", table(["variable", "meaning"], [[f"`{name}`", words] for name, _, words in variables()]),
        "In a configuration, `${NAME}` is replaced by the value of any variable.",
        "## Files", table(["path", "use"], [[f"`{path}`", words] for path, words in facts.FILES]),
        "## Signals", table(["signal", "effect"], [[name, words] for name, _, words in facts.SIGNALS]))


def pages(root):
    """Every generated page by its name in docs/reference."""
    return {
        "configuration.md": configuration(), "commands.md": command_page(root), "end-records.md": end_records(),
        "metrics.md": metrics(), "log-messages.md": log_messages(), "exit-statuses.md": exit_statuses(),
        "environment.md": environment(), "api.md": api(),
    }
