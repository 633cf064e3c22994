// ---- Phrases for states

const waiting = {
  proxy_header: ['waits for the PROXY header', 'The client has not sent its PROXY protocol header yet.'],
  tls_hello: ['waits for the TLS hello', 'The client has not sent its TLS ClientHello yet, whose server name says where it goes.'],
  request: ['waits for the request', 'The client has not requested its destination yet, by SOCKS 5 or HTTP CONNECT.'],
  name: ['looking up the name', 'The name service has not answered yet.'],
  connect: ['connecting', 'The upstream has not accepted yet.'],
  client_reads: ['client does not read', 'The client does not take what the upstream has sent, so the upstream waits.', 'warn'],
  upstream_reads: ['upstream does not read', 'The upstream does not take what the client has sent, so the client waits.', 'warn'],
  both_read: ['neither side reads', 'Neither side takes what the other has sent.', 'warn'],
  client_sends: ['client’s turn', 'Nothing is on its way; the client is next to say something.'],
  upstream_sends: ['upstream’s turn', 'Nothing is on its way; the upstream is next to say something.'],
  anyone_sends: ['nothing said yet', 'Connected, and neither side has sent a byte.'],
  sent: ['delivering before reset', 'One side has failed; what it sent before is on its way to the other.', 'warn'],
  recording: ['waits for the recording', 'Its recording must be whole (when_full: block) and has no room for more.', 'warn'],
};

/** A connection's current activity: text, explanation, tone. */
function activity(connection) {
  const half = connection.state === 'half_closed' ? 'half-closed, ' : '';
  const waits = connection.waits && waiting[connection.waits.for];
  if (connection.state === 'closed') return ['ended', '', ''];
  if (waits) {
    const time = connection.waits.ms >= 1000 ? ` ${largestUnit(connection.waits.ms)}` : '';
    return [half + waits[0] + time, waits[1], waits[2] || ''];
  }
  if (connection.state === 'connecting') return ['connecting', waiting.connect[1], ''];
  if (connection.state === 'resetting') return ['resetting', waiting.sent[1], 'warn'];
  return [half + 'flowing', half ? 'One side has ended its half.' : 'Bytes are moving.', 'moving'];
}
const toneOfReason = reason => ordinary.has(reason) ? '' : ['killed', 'drained', 'denied', 'proxy_untrusted', 'proxy_header_invalid', 'proxy_header_timeout', 'destination_refused', 'tls_not_routed', 'tls_hello_timeout', 'request_invalid', 'request_timeout', 'lifetime', 'idle_timeout', 'over_limit'].includes(reason) ? 'warn' : 'bad';
