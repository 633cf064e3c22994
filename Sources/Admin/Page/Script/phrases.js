// ---- Phrases for states

/** The reasons of failed connects: what the upstream did, and a relay's state while they fail. */
const connectFailure = {
  connect_refused: ['refused the connection', 'upstream refuses connections'],
  connect_timeout: ['did not answer', 'upstream does not answer'],
  connect_unreachable: ['is unreachable', 'upstream is unreachable'],
  name_not_found: ['has a name that does not exist', 'the upstream’s name does not exist'],
  name_lookup_failed: ['has a name that cannot be resolved', 'the upstream’s name cannot be resolved'],
  no_local_port: ['could not be reached: no local port was free', 'no local port is free'],
  loop: ['is one of Tapline’s own listeners', 'upstream is one of Tapline’s own listeners'],
  over_limit: ['could not be reached: a system limit was reached', 'a system limit prevents connecting'],
};

/** The reasons of TLS handshakes with the upstream that fail, which clients may have, too. */
const handshakeFailure = {
  tls_certificate_refused: 'TLS with the upstream fails (a certificate is refused)',
  tls_handshake_failed: 'the TLS handshake with the upstream fails',
  tls_handshake_timeout: 'upstream does not complete the TLS handshake',
};

/** A message of the server as a sentence. */
const sentence = message => message.charAt(0).toUpperCase() + message.slice(1).replace(/\.?$/, '.');

/** What a side did to end a connection; empty if it did nothing. */
function deed(facts, side) {
  if (side === 'upstream' && connectFailure[facts.reason]) return connectFailure[facts.reason][0];
  if (facts.closed_by !== side) return '';
  return facts.reason.endsWith('_reset') ? 'reset the connection' : facts.reason.endsWith('_timed_out') ? 'stopped answering' : 'closed the connection';
}

/** `16 of 20 connects`, `all 16 connects`, `the only connect`. */
function share({ failed, attempts }) {
  if (failed < attempts) return `${whole(failed)} of ${whole(attempts)} connects`;
  return attempts === 1 ? 'the only connect' : `all ${whole(attempts)} connects`;
}

/** Why a relay's connects fail now, with the share of the last minutes; empty if they do not. */
function failing(relay) {
  const recent = relay.recent_connects;
  if (!recent?.failing) return null;
  return { cause: connectFailure[recent.last_failure]?.[1] || handshakeFailure[recent.last_failure] || 'connecting to the upstream fails',
    share: `${share(recent)} in the last ${largestUnit(recent.window_ms)} failed` };
}

const waiting = {
  proxy_header: ['waiting for PROXY header', 'The client has not sent its PROXY protocol header yet.'],
  tls_handshake: ['waiting for TLS handshake', 'The client has not completed the TLS handshake yet.'],
  upstream_tls_handshake: ['waiting for upstream’s TLS handshake', 'The upstream has accepted, and has not completed the TLS handshake yet.'],
  tls_hello: ['waiting for ClientHello', 'The client has not sent its TLS ClientHello yet, which selects the upstream.'],
  request: ['waiting for request', 'The client has not requested a destination yet (SOCKS 5 or HTTP CONNECT).'],
  name: ['resolving the name', 'The name service has not answered yet.'],
  connect: ['connecting', 'The upstream has not accepted yet.'],
  upstream_up: ['waiting for upstream', 'The upstream is not up yet; Tapline keeps trying to connect.', 'warn'],
  client_reads: ['client not reading', 'The client is not reading what the upstream sent, so the upstream waits.', 'warn'],
  upstream_reads: ['upstream not reading', 'The upstream is not reading what the client sent, so the client waits.', 'warn'],
  both_read: ['neither side reading', 'Neither side is reading what the other sent.', 'warn'],
  client_sends: ['client’s turn', 'Nothing is in transit; the client is expected to send next.'],
  upstream_sends: ['upstream’s turn', 'Nothing is in transit; the upstream is expected to send next.'],
  anyone_sends: ['nothing sent yet', 'Connected, and neither side has sent a byte.'],
  sent: ['delivering before reset', 'One side has failed; what it sent before is being delivered to the other.', 'warn'],
  recording: ['waiting for recording', 'Its recording must be complete, and the recording’s buffer is full (when_full: block).', 'warn'],
};

/** A connection's current activity: text, explanation, tone. */
function activity(connection) {
  const [text, title, tone] = ownActivity(connection);
  if (!connection.process) return [text, title, tone];
  return [`${text} (process ${connection.process})`, `In process ${connection.process}, from before the upgrade. ${title}`, tone];
}

function ownActivity(connection) {
  const half = connection.state === 'half_closed' ? 'half-closed, ' : '';
  const waits = connection.waits && waiting[connection.waits.for];
  if (connection.state === 'closed') return ['ended', '', ''];
  if (waits) {
    const time = connection.waits.ms >= 1000 ? ` ${largestUnit(connection.waits.ms)}` : '';
    return [half + waits[0] + time, waits[1], waits[2] || ''];
  }
  if (connection.state === 'connecting') return ['connecting', waiting.connect[1], ''];
  if (connection.state === 'resetting') return ['resetting', waiting.sent[1], 'warn'];
  return [half + 'flowing', half ? 'One side has closed its half; bytes are moving the other way.' : 'Bytes are moving.', 'moving'];
}
const toneOfReason = reason => ordinary.has(reason) ? '' : ['killed', 'drained', 'denied', 'proxy_untrusted', 'proxy_header_invalid', 'proxy_header_timeout', 'destination_refused', 'tls_not_routed', 'tls_hello_timeout', 'request_invalid', 'request_timeout', 'tls_handshake_timeout', 'lifetime', 'idle_timeout', 'over_limit'].includes(reason) ? 'warn' : 'bad';
