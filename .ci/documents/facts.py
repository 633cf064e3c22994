"""What the documents say beyond the program's help: environment, files, signals, exit statuses, examples, log messages.

What is not in the sources (a variable that nothing reads) is left out of the documents; what is in the sources and not
here is an error of the generator.
"""

# name, commands that read it (empty: all), meaning
ENVIRONMENT = [
    ("TAPLINE_ADMIN", "client",
     "The admin API's address, for the commands for a running Tapline, unless `--admin` is given."),
    ("TAPLINE_ADMIN_TOKEN", "client server",
     "The bearer token of the admin API, 8 to 1024 printable ASCII characters. `run` and `forward` require it from clients;"
     " the other commands send it. A file (`admin.token_file`, `--token-file`) takes precedence."),
    ("XDG_RUNTIME_DIR", "client server",
     "The directory of `forward`'s admin sockets, `tapline/PID.sock`, where the other commands look for them. If it is"
     " not set, or is not a directory of this user: `/run/user/UID`; if that is missing, `/tmp/tapline-UID`."),
    ("TAPLINE_CONFIG", "client server check",
     "The configuration of `run`, `check` and the commands for a running Tapline, unless the command line names one."),
    ("XDG_CONFIG_HOME", "client server check",
     "The directory that is searched for `tapline/tapline.yaml`; `$HOME/.config` if it is not set."),
    ("XDG_STATE_HOME", "authority",
     "The directory of `tapline/ca`, the local certificate authority of `forward --tls-cert auto`;"
     " `$HOME/.local/state` if it is not set."),
    ("NO_COLOR", "", "If set and not empty, output is not coloured."),
    ("FORCE_COLOR", "", "If set, output is coloured even if it is not a terminal, for example for `less -R`."),
    ("CLICOLOR_FORCE", "", "Same as `FORCE_COLOR`."),
    ("TERM", "", "`dumb` turns off colours and `top`'s full screen."),
    ("LC_ALL", "", "`LC_ALL`, `LC_CTYPE` and `LANG`: the locale. Without UTF-8, only ASCII characters are drawn."),
    ("TZ", "", "The time zone of times on a terminal."),
    ("NOTIFY_SOCKET", "server",
     "The service manager's socket, for readiness, reloads, the status text and the watchdog (sd_notify(3))."),
    ("WATCHDOG_USEC", "server", "With `WATCHDOG_PID`: how often the service manager expects a keepalive message."),
    ("SSL_CERT_FILE", "server",
     "The PEM file with the system's certificate authorities, for `upstream_tls.ca: system` and `tls:` upstreams of `forward`;"
     " otherwise the first of the places where distributions have it."),
    ("SSLKEYLOGFILE", "server",
     "The file to which relays with `tls_keylog: true`, and `forward --tls-keylog`, append the keys of their TLS sessions (mode"
     " 0600); ignored otherwise."),
    ("LISTEN_FDS", "server",
     "With `LISTEN_PID` and `LISTEN_FDNAMES`: listening sockets that the service manager has opened (sd_listen_fds(3))."),
]

# path, meaning
FILES = [
    ("./tapline.yaml, $XDG_CONFIG_HOME/tapline/tapline.yaml, /etc/tapline/tapline.yaml",
     "The configuration of `tapline run` and `check`, unless the command line names one: the first of these that exists."),
    ("/etc/tapline/conf.d/", "Relays, one file for each service, where the configuration has `include: conf.d`."),
    ("/run/tapline/admin.sock", "The admin API's socket in the configurations of the packages, mode 0600."),
    ("$XDG_RUNTIME_DIR/tapline/PID.sock, /run/user/UID/tapline/PID.sock, /tmp/tapline-UID/PID.sock",
     "The admin API's socket of a `forward` without `--admin`, mode 0600. The directory is the first whose parent exists and"
     " belongs to the user; its mode is 0700."),
    ("$XDG_STATE_HOME/tapline/ca/, $HOME/.local/state/tapline/ca/",
     "The local certificate authority of `forward --tls-cert auto`: `ca.pem`, and `ca.key` with mode 0600. The directory's"
     " mode is 0700."),
    ("/var/lib/tapline/", "The service's state directory, for recordings."),
    ("/var/log/tapline/", "The service's log directory, for an access log."),
]

# name, commands, meaning
SIGNALS = [
    ("SIGTERM, SIGINT", "server",
     "Stop accepting, let open connections finish (`shutdown.drain`, 25s; 2s in `forward`), reset the rest, and exit with 0."
     " A second signal stops at once. Every connection still gets its end record."),
    ("SIGHUP", "run",
     "Reload the configuration, and reopen the access log. It stops `forward` and `demo`, unless it was"
     " ignored at startup (nohup(1))."),
    ("SIGUSR2", "run",
     "Upgrade: start the new program file, hand over the listening sockets, and finish open connections in this process"
     " (`shutdown.upgrade`, 10m)."),
    ("SIGTERM, SIGINT", "watch",
     "`tail`, `top`, `connections --watch` and `show --follow`: exit with 0. The running Tapline is not affected."),
    ("SIGTERM, SIGINT", "wait",
     "`wait-ready`, `drain --wait` and `shutdown --wait`: stop waiting and exit with 1. The running Tapline is not affected."),
    ("SIGCHLD, SIGPIPE", "server", "Ignored: children are reaped, and a closed pipe is an error of one output only."),
]

# status, name, meaning
EXIT_STATUSES = [
    (0, "success", "The command succeeded, also if a signal stopped it."),
    (1, "failure",
     "Any other failure: no such connection, `--timeout` expired, the API refused the request, a connection of"
     " `forward --once` that did not close cleanly."),
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
        ("Watch the traffic in Wireshark", "tapline forward 8080:localhost:8000 --record - | wireshark -k -i -"),
        ("Listen on every interface", "tapline forward '*:8080:db.internal:5432'"),
        ("Start the upstream when a client needs it", "tapline forward 8080:localhost:3000 --exec 'npm start' --idle-stop 10m"),
        ("Run a SOCKS 5 and HTTP CONNECT proxy", "tapline forward socks:1080"),
        ("Speak TLS to clients", "tapline forward tls:8443=localhost:8000 --tls-cert auto"),
    ],
    "run": [
        ("Run in the foreground", "tapline run --config tapline.yaml"),
        ("Reload it", "kill -HUP $(pidof tapline)"),
        ("Upgrade it, after replacing the program file", "kill -USR2 $(pidof tapline)"),
    ],
    "check": [
        ("Check a configuration and the files that it includes", "tapline check /etc/tapline/tapline.yaml"),
        ("Print the errors as JSON", "tapline check --json tapline.yaml"),
    ],
    "demo": [("Run the demonstration and exit", "tapline demo --once")],
    "show": [
        ("List the conversations of a recording", "tapline show web.pcapng"),
        ("Read one of them", "tapline show web.pcapng 7 --format text"),
        ("List what was reset, in all recordings of a folder", "tapline show recordings/ --filter reset"),
        ("Save an answer to a file", "tapline show web.pcapng 7 --format raw --flow down > answer"),
    ],
    "ca": [
        ("Print how to trust the local CA", "tapline ca"),
        ("Trust it once", "curl --cacert \"$(tapline ca --path)\" https://localhost:8443/"),
    ],
    "status": [
        ("Show the Tapline of /etc/tapline/tapline.yaml", "tapline status"),
        ("Show another one", "tapline status --admin unix:/run/tapline/admin.sock"),
    ],
    "connections": [
        ("List the ten fastest", "tapline connections --sort rate --limit 10"),
        ("List those that were reset", "tapline connections --closed --filter reset"),
    ],
    "top": [("Watch a running Tapline", "tapline top --admin 127.0.0.1:9180")],
    "tail": [
        ("Show the traffic of one relay", "tapline tail --relay web"),
        ("Show it in Wireshark", "tapline tail --format pcapng | wireshark -k -i -"),
    ],
    "why": [
        ("Explain the last connection that failed", "tapline why"),
        ("Explain a connection", "tapline why 7"),
        ("Explain a connection of a recording", "tapline why web.pcapng 7"),
        ("Print the explanation as JSON", "tapline why web.pcapng 7 --json"),
    ],
    "kill": [("Reset two connections", "tapline kill 7 12")],
    "reload": [("Reload, and print what changed", "tapline reload")],
    "drain": [("Drain, and wait until it has stopped", "tapline drain --wait --timeout 60s")],
    "shutdown": [("Stop a sidecar as the last step of a job", "tapline shutdown --wait")],
    "wait-ready": [
        ("Wait for a sidecar", "tapline wait-ready --admin unix:/run/tapline/admin.sock --timeout 10s"),
        ("Check once, as a probe", "tapline wait-ready --timeout 0"),
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
# Commands that run until Ctrl-C, always or with an option, and those that can wait.
WATCHES = ("tail", "top", "connections", "show")
WAITS = ("wait-ready", "drain", "shutdown")

# A part of a message: what it means, and what to do. Every error and warning of the log has one.
MESSAGES = {
    "end records continue to the file that is open":
        "The access log could not be reopened. Check that its directory exists and is writable, then send SIGHUP.",
    "a listener cannot accept clients":
        "accept(2) failed for a reason other than a lack of resources. The relay's other listeners are not affected.",
    "cannot be truncated to its last complete block":
        "After a failed write the file ends with part of a block. Readers stop there.",
    "recording stopped: its file": "The file could not be written. Start the recording again when the file system works.",
    "a worker has not responded for": "A worker hangs. The service manager restarts Tapline when the watchdog's timeout expires.",
    "a TLS session cannot be made: no memory, or no name to check": "OpenSSL could not allocate a session, or the upstream has no name that `verify: full` could check. The connection is reset.",
    "no TLS keys are written": "Name a file in `SSLKEYLOGFILE`, or remove `tls_keylog`.",
    "anyone who can read that file can decrypt": "A relay has `tls_keylog: true`. Remove it when the keys are no longer needed.",
    "TLS keys cannot be written": "The file of `SSLKEYLOGFILE` cannot be opened; connections are not affected. Reported once; a reload tries again.",
    "epoll refused to watch a socket": "The user's limit of epoll watches is reached (`fs.epoll.max_user_watches`).",
    "upgrade refused: <reason>": "This process continues, with every connection; the reason says what to change.",
    "reload rejected": "The configuration has an error, or a port is in use. The old configuration stays active.",
    "the admin API cannot accept clients": "accept(2) failed on the admin API's socket. Relays are not affected.",
    "the recording cannot be written":
        "The disk is full or failed. Under `drop` the relay continues and lost bytes are counted; under `block` recorded"
        " connections wait.",
    "the service manager is no longer notified": "The service manager's socket failed. `systemctl status` shows old values.",
    "upgrade failed": "The new process ended, or was not ready in time. This process continues with every connection.",
    "was removed; generation": "The configuration file was removed. The active configuration stays until the file exists again.",
    "a name lookup failed": "The name service did not answer. New connections use the addresses of the last answer.",
    "ends without bytes that could not be written":
        "The file system did not accept the recording's last bytes. `dropped_bytes` counts them.",
    "a worker is busy": "A worker needs longer than expected to apply a reload. Nothing needs to be done.",
    "accepting is paused":
        "The relay has reached `max_connections`, or no descriptors are left. Clients wait in the kernel's queue; none are"
        " refused. Raise the limit that `reason` names.",
    "an old recording cannot be removed": "`rotate.keep` could not be applied. Check the permissions of the directory.",
    "does not report need a SIGHUP": "The thread that polls the configuration could not be started. Send SIGHUP after a change.",
    "upgrade refused: <what>": "Another SIGUSR2 arrived while an upgrade was running, or the process is stopping.",
    "no relay listens on": "Stop the socket unit, or add a relay with that address.",
    "upgrade refused: Tapline is": "SIGUSR2 arrived while the process was starting or stopping.",
    "the last upgrade is not complete": "SIGUSR2 arrived before the last upgrade was complete. Send it again.",
    "NOTIFY_SOCKET is": "The variable has a value that is not a Unix socket. Unset it, or start Tapline from systemd.",
    "rules redirect Tapline's own": "Exclude Tapline's connections in the firewall rules; see the guide to interception.",
    "its old address is closed late": "Clients of the admin API hold connections to its old address.",
    "is checked every": "The directory cannot be watched. Changes are found by polling.",
    "is reloaded only on SIGHUP": "The directory can be neither watched nor polled. Send SIGHUP after a change.",
    "buffer was full":
        "The recorder's thread or the disk was too slow, and `dropped_bytes` are missing in the recording. Raise `buffer`, or"
        " use `when_full: block`.",
    "recording of <relay> ends with the upgrade":
        "A recording that was started at run time could not continue in the new process: `error` says why. Start it again.",
    "the admin API cannot start":
        "No thread could be started for the default admin socket of `forward`. Relays are not affected.",
    "the process that took over cannot list":
        "After an upgrade, the old process could not open a socket for the new one. Its connections finish, but `status`,"
        " `why` and `kill` do not see them.",
    "the service manager cannot be notified": "The service manager's socket refused a message.",
    "is not a regular file: it is not watched": "To reload the configuration, start Tapline with a regular file.",
    "exists again": "The configuration file was removed and is back; Tapline reads it.",
    "clients are held for up to": "`timeouts.wait`: Tapline retries until it has connected to the upstream.",
    "did not exit on SIGTERM and was killed": "The `--exec` command did not stop within 10 s.",
    "did not exit on SIGTERM and were killed": "They did not stop within 10 s.",
    "a listener accepts clients again": "Its pause is over.",
    "configuration unchanged; the problem is gone": "The last reload was rejected; now the files are valid and have the active settings.",
    "configuration unchanged": "A reload was requested, but the files have the same settings as before.",
    "nothing reloaded": "Only settings that need a restart have changed.",
    "no IPv6 on this system": "The kernel has no IPv6, so a loopback or `*` listener serves IPv4 only.",
    "the recording can be written again": "`dropped_bytes` are missing from the recording.",
    "has closed it: recording stops": "The program that read the recording has exited.",
    "from before the upgrade, has ended": "Its last connection has ended; nothing of the upgrade is left.",
    "traffic is being read": "`tapline tail`, the page, or another client of `/v1/tap`.",
}
