"""What the documents say beyond the program's help: environment, files, signals, exit statuses, examples, log messages.

What is not in the sources (a variable that nothing reads) is left out of the documents; what is in the sources and not
here is an error of the generator.
"""

# name, commands that read it (empty: all), meaning
ENVIRONMENT = [
    ("TAPLINE_ADMIN", "client",
     "The admin API's address for the commands that talk to a running Tapline, unless `--admin` is given."),
    ("TAPLINE_ADMIN_TOKEN", "client server",
     "The bearer token of the admin API, 8 to 1024 printable ASCII characters. `run` and `forward` require it from clients;"
     " the other commands send it. A file (`admin.token_file`, `--token-file`) takes precedence."),
    ("XDG_RUNTIME_DIR", "client server",
     "The folder of the admin sockets of `forward`, `tapline/PID.sock`, and where the other commands look for them."),
    ("TAPLINE_CONFIG", "client server",
     "The configuration of `run`, `check` and the commands that talk to a running Tapline, unless one is named."),
    ("XDG_CONFIG_HOME", "client server",
     "The folder in which `tapline/tapline.yaml` is looked for; `$HOME/.config` if it is not set."),
    ("NO_COLOR", "", "If set to anything but an empty string, nothing is coloured."),
    ("FORCE_COLOR", "", "If set, output is coloured even if it is not a terminal, for example in `less -R`."),
    ("CLICOLOR_FORCE", "", "The same as `FORCE_COLOR`."),
    ("TERM", "", "`dumb` turns off colours and `top`'s full screen."),
    ("LC_ALL", "", "`LC_ALL`, `LC_CTYPE` and `LANG`: the locale. Without UTF-8, only ASCII characters are drawn."),
    ("TZ", "", "The time zone of times on a terminal."),
    ("NOTIFY_SOCKET", "server",
     "The service manager's socket, for readiness, reloads, the status text and the watchdog (sd_notify(3))."),
    ("WATCHDOG_USEC", "server", "With `WATCHDOG_PID`: how often the service manager expects a sign of life."),
    ("SSL_CERT_FILE", "server",
     "The PEM file with the system's certificate authorities, for `upstream_tls.ca: system` and `tls:` upstreams of `forward`;"
     " otherwise the first of the places where distributions have it."),
    ("LISTEN_FDS", "server",
     "With `LISTEN_PID` and `LISTEN_FDNAMES`: listening sockets that the service manager has opened (sd_listen_fds(3))."),
]

# path, meaning
FILES = [
    ("./tapline.yaml, $XDG_CONFIG_HOME/tapline/tapline.yaml, /etc/tapline/tapline.yaml",
     "The configuration of `tapline run` and `check`, unless another is named: the first of them that exists."),
    ("/etc/tapline/conf.d/", "Relays, one file for each service, where the configuration has `include: conf.d`."),
    ("/run/tapline/admin.sock", "The admin API's socket in the configurations of the packages, mode 0600."),
    ("$XDG_RUNTIME_DIR/tapline/PID.sock", "The admin API's socket of a `forward` without `--admin`, mode 0600."),
    ("/var/lib/tapline/", "The service's state folder, for recordings."),
    ("/var/log/tapline/", "The service's log folder, for an access log."),
]

# name, commands, meaning
SIGNALS = [
    ("SIGTERM, SIGINT", "server",
     "Stop accepting, let open connections finish (`shutdown.drain`, 25s; 2s in `forward`), reset the rest, and exit with 0."
     " A second signal stops at once. Every connection still gets its end record."),
    ("SIGHUP", "run",
     "Read the configuration again, and reopen the access log. In `forward` and `demo` it stops the program, unless it was"
     " ignored at the start (nohup(1))."),
    ("SIGUSR2", "run",
     "Upgrade: start the program file again, hand over the listening sockets, and finish open connections in this process"
     " (`shutdown.upgrade`, 10m)."),
    ("SIGCHLD, SIGPIPE", "server", "Ignored: children are reaped, and a reader that is gone is an error of one output."),
]

# status, name, meaning
EXIT_STATUSES = [
    (0, "success", "The command did what it was asked to, also if a signal ended it."),
    (1, "failure",
     "Any other failure: no such connection, a timeout of `--timeout`, an API that refuses, a connection of `forward --once`"
     " that did not end in order."),
    (64, "usage", "The command line is wrong: an unknown option, a missing or malformed argument."),
    (71, "system", "An operating-system error: port in use, permission denied, no such file."),
    (78, "configuration", "The configuration is missing or wrong. Every error is printed as `path:line:column: message`."),
]

# command: [(what it does, command line)]
EXAMPLES = {
    "": [
        ("Forward a port", "tapline forward 8080:localhost:8000"),
        ("Check a configuration, then run it", "tapline check tapline.yaml && tapline run --config tapline.yaml"),
        ("Explain the last connection that failed", "tapline why"),
    ],
    "forward": [
        ("Forward a port and show the traffic", "tapline forward 6390:localhost:6379 --print text"),
        ("Record to a file that Wireshark opens", "tapline forward 8080:localhost:8000 --record talk.pcapng"),
        ("Watch in Wireshark", "tapline forward 8080:localhost:8000 --record - | wireshark -k -i -"),
        ("Listen on every interface", "tapline forward '*:8080:db.internal:5432'"),
        ("Start the upstream when a client needs it", "tapline forward 8080:localhost:3000 --exec 'npm start' --idle-stop 10m"),
        ("A SOCKS 5 and HTTP CONNECT proxy", "tapline forward socks:1080"),
    ],
    "run": [
        ("Run in the foreground", "tapline run --config tapline.yaml"),
        ("Reload it", "kill -HUP $(pidof tapline)"),
        ("Upgrade it after the program file was replaced", "kill -USR2 $(pidof tapline)"),
    ],
    "check": [("Check a configuration and the files that it includes", "tapline check /etc/tapline/tapline.yaml")],
    "demo": [("Run the demonstration and exit", "tapline demo --once")],
    "show": [
        ("List the conversations of a recording", "tapline show web.pcapng"),
        ("Read one of them", "tapline show web.pcapng 7 --format text"),
        ("List what was reset, in all recordings of a folder", "tapline show recordings/ --filter reset"),
        ("Extract an answer", "tapline show web.pcapng 7 --format raw --flow down > answer"),
    ],
    "status": [
        ("Show the tapline of /etc/tapline/tapline.yaml", "tapline status"),
        ("Show another one", "tapline status --admin unix:/run/tapline/admin.sock"),
    ],
    "connections": [
        ("The ten fastest", "tapline connections --sort rate --limit 10"),
        ("Those that were reset", "tapline connections --closed --filter reset"),
    ],
    "top": [("Watch a running tapline", "tapline top --admin 127.0.0.1:9180")],
    "tail": [
        ("Show the traffic of one relay", "tapline tail --relay web"),
        ("Show it in Wireshark", "tapline tail --format pcapng | wireshark -k -i -"),
    ],
    "why": [
        ("Explain the last connection that failed", "tapline why"),
        ("Explain a connection", "tapline why 7"),
        ("Explain a connection of a recording", "tapline why web.pcapng 7"),
    ],
    "kill": [("Reset two connections", "tapline kill 7 12")],
    "reload": [("Reload, and print what changed", "tapline reload")],
    "drain": [("Drain, and wait for the end", "tapline drain --wait --timeout 60s")],
    "shutdown": [("End a sidecar as the last step of a job", "tapline shutdown --wait")],
    "wait-ready": [
        ("Wait for a sidecar", "tapline wait-ready --admin unix:/run/tapline/admin.sock --timeout 10s"),
        ("Probe it once", "tapline wait-ready --timeout 0"),
    ],
}

CONFIGURATION_EXAMPLE = """
admin: { listen: unix:/run/tapline/admin.sock }
log: { format: json }
relays:
  - name: web
    listen: "*:8080"
    upstream: localhost:8000
    timeouts: { idle: 10m }
  - name: db
    listen: 127.0.0.1:5433
    upstream: ${DATABASE:-db.internal:5432}
    record: { directory: /var/lib/tapline, rotate: { size: 100MiB, keep: 24 } }
"""

# Commands that relay; the others are clients of them, or read files.
SERVERS = ("forward", "run", "demo")
FILE_COMMANDS = ("check", "show")

# A part of a message: what it means, and what to do. Every error and warning of the log has one.
MESSAGES = {
    "end records go on to the file that is open":
        "The access log could not be reopened. Check that its folder exists and is writable, then send SIGHUP.",
    "a listener cannot accept clients":
        "accept(2) failed for a reason other than a lack of resources. The relay's other listeners are not affected.",
    "cannot be cut back to its last whole block": "After a failed write the file ends with part of a block. Readers stop there.",
    "a recording is given up": "The file takes no more bytes. Start the recording again once the file system works.",
    "loop has not turned for": "A worker hangs. The service manager restarts Tapline when the watchdog's time is over.",
    "no memory for a TLS session": "OpenSSL could not make a session. The connection is reset; the machine is out of memory.",
    "epoll refused to watch a socket": "The user's limit of epoll watches is reached (`fs.epoll.max_user_watches`).",
    "no upgrade: <reason>": "SIGUSR2 was refused; this process continues.",
    "reload rejected": "The configuration has an error, or a port is in use. The old configuration stays in force.",
    "the admin API cannot accept clients": "accept(2) failed on the admin API's socket. Relays are not affected.",
    "the recording cannot be written":
        "The disk is full or failed. Under `drop` the relay continues and lost bytes are counted; under `block` recorded"
        " connections wait.",
    "the service manager is told nothing more": "The service manager's socket failed. `systemctl status` shows old values.",
    "upgrade failed": "The new process ended, or was not ready in time. This process continues with every connection.",
    "is gone; generation": "The configuration file was removed. The configuration in force stays until the file is back.",
    "a name lookup failed": "The name service did not answer. New connections use the addresses of the last answer.",
    "ends with bytes missing": "The file system did not accept the recording's last bytes. `dropped_bytes` counts them.",
    "a worker is busy": "A worker took longer than expected to take over a reload. It will.",
    "accepting pauses":
        "The relay has reached `max_connections`, or no descriptors are left. Clients wait in the kernel's queue; nothing is"
        " refused. Raise the limit that `reason` names.",
    "an old recording cannot be removed": "`rotate.keep` could not be applied. Check the permissions of the folder.",
    "do not report need a SIGHUP": "No thread could be started that polls the configuration. Send SIGHUP after a change.",
    "no further upgrade": "Another SIGUSR2 arrived while an upgrade was running, or the process is stopping.",
    "no relay listens on": "Stop the socket unit, or add a relay with that address.",
    "no upgrade: tapline is": "SIGUSR2 arrived while the process was starting or stopping.",
    "has not handed everything over": "SIGUSR2 arrived before the last upgrade was complete. Send it again.",
    "NOTIFY_SOCKET is": "The variable has a value that is not a Unix socket. Unset it, or start Tapline from systemd.",
    "rules redirect Tapline's own": "Exclude Tapline's connections in the firewall rules; see the guide to interception.",
    "its old address is closed late": "Clients of the admin API hold connections to its old address.",
    "is compared every": "The folder cannot be watched. Changes are found by polling.",
    "is read at SIGHUP only": "The folder can neither be watched nor polled. Send SIGHUP after a change.",
    "buffer was full":
        "The recorder's thread or the disk was too slow, and `dropped_bytes` are missing in the recording. Raise `buffer`, or"
        " use `when_full: block`.",
    "recording of <relay> ends with the upgrade":
        "A recording that was started at run time could not continue in the new process: `error` says why. Start it again.",
    "the admin API cannot start":
        "No thread could be started for the default admin socket of `forward`. Relays are not affected.",
    "cannot be listed by the process that took over":
        "After an upgrade, the old process could not open a socket for the new one. Its connections finish, but `status`,"
        " `why` and `kill` do not see them.",
    "the service manager cannot be told": "The service manager's socket refused a message.",
}
