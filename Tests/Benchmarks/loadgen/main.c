#include <netinet/in.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "loadgen.h"

static const char usage[] =
    "usage: loadgen serve PORT\n"
    "       loadgen bulk HOST PORT down|up STREAMS SECONDS\n"
    "       loadgen messages HOST PORT CONNECTIONS SIZE SECONDS\n"
    "       loadgen churn HOST PORT SLOTS SECONDS\n"
    "       loadgen idle HOST PORT CONNECTIONS\n"
    "       loadgen start HOST PORT COMMAND...\n"
    "       loadgen tls-bulk HOST PORT down|up SECONDS\n"
    "       loadgen tls-messages HOST PORT CONNECTIONS SECONDS\n"
    "       loadgen tls-handshakes HOST PORT full|resumed SLOTS SECONDS\n"
    "       loadgen tls-idle HOST PORT CONNECTIONS\n"
    "PORT+COUNT instead of PORT: COUNT relays on consecutive ports, which take turns\n";

static long number(const char *text, long least, long most) {
    char *end;
    long value = strtol(text, &end, 10);
    if (*text == 0 || *end != 0 || value < least || value > most)
        die("%s: a number from %ld to %ld is wanted", text, least, most);
    return value;
}

static double seconds(const char *text) {
    char *end;
    double value = strtod(text, &end);
    if (*text == 0 || *end != 0 || !(value >= 0.1 && value <= 600)) die("%s: seconds, 0.1 to 600, are wanted", text);
    return value;
}

int main(int count, char **arguments) {
    // A peer that goes away is an error to report, not a reason to die; a driver that goes away ends us too.
    signal(SIGPIPE, SIG_IGN);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    setvbuf(stdout, NULL, _IOLBF, 0);
    pattern_fill();

    const char *name = count > 1 ? arguments[1] : "";
    if (strcmp(name, "serve") == 0 && count == 3) {
        serve((uint16_t)number(arguments[2], 1, 65535));
        return 0;
    }
    if (count < 4) {
        fputs(usage, stderr);
        return 64;
    }
    struct target target = target_parse(arguments[2], arguments[3]);
    char **rest = arguments + 4;
    int left = count - 4;
    if (strcmp(name, "bulk") == 0 && left == 3 && (strcmp(rest[0], "down") == 0 || strcmp(rest[0], "up") == 0))
        bulk(target, rest[0][0] == 'd' ? 'D' : 'U', (unsigned)number(rest[1], 1, 1000), seconds(rest[2]));
    else if (strcmp(name, "messages") == 0 && left == 3)
        messages(target, (unsigned)number(rest[0], 1, 20000), (size_t)number(rest[1], request_size, message_limit),
                 seconds(rest[2]));
    else if (strcmp(name, "churn") == 0 && left == 2)
        churn(target, (unsigned)number(rest[0], 1, 1000), seconds(rest[1]));
    else if (strcmp(name, "idle") == 0 && left == 1)
        idle(target, (unsigned)number(rest[0], 1, 60000));
    else if (strcmp(name, "start") == 0 && left >= 1)
        start(target, rest);
    else if (strcmp(name, "tls-bulk") == 0 && left == 2 && (strcmp(rest[0], "down") == 0 || strcmp(rest[0], "up") == 0))
        secure_bulk(target, rest[0][0] == 'd' ? 'D' : 'U', seconds(rest[1]));
    else if (strcmp(name, "tls-messages") == 0 && left == 2)
        secure_messages(target, (unsigned)number(rest[0], 1, 20000), seconds(rest[1]));
    else if (strcmp(name, "tls-handshakes") == 0 && left == 3)
        secure_handshakes(target, strcmp(rest[0], "resumed") == 0, (unsigned)number(rest[1], 1, 1000), seconds(rest[2]));
    else if (strcmp(name, "tls-idle") == 0 && left == 1)
        secure_idle(target, (unsigned)number(rest[0], 1, 60000));
    else {
        fputs(usage, stderr);
        return 64;
    }
    return 0;
}
