const traffic = (at, label, by, show, title) => ({ at, label, by, title, width: at.startsWith('bytes') ? '80px' : '94px', class: 'num sum',
  show: item => [show(item[at]), exact(item[at]), item[at] ? '' : 'zero'] });
/** The upstream and the connected address, which is the proxy's where the relay has one. */
function upstreamTitle(item) {
  const proxy = item.upstream_proxy || relays.get(item.relay)?.upstream_proxy, at = item.upstream_address ? ` at ${item.upstream_address}` : '';
  return proxy ? `${item.upstream} through ${proxy}${at}` : item.upstream + at;
}

const shared = {
  id: { at: 'id', label: 'ID', by: 'id', isText: true, width: '78px', show: item => [item.id, '', item.recording ? 'rec-on' : ''] },
  relay: { at: 'relay', label: 'Relay', by: 'relay', isText: true, width: '9%', show: item => [item.relay, item.relay] },
  client: { at: 'client', label: 'Client', by: 'client', isText: true, class: 'addr', show: item => [item.client, item.client] },
  upstream: { at: 'upstream', label: 'Upstream', by: 'upstream', isText: true, class: 'addr',
    show: item => [item.upstream === 'original-destination' && item.upstream_address || item.upstream, upstreamTitle(item)] },
};

let chosen = null;             // the connection in the drawer
let view = 'open';

const openTable = new Table($('open'), {
  name: 'Open connections', appends: true, isOver: id => ended.some(item => item.id === id), sort: { by: 'id', isTurned: true },
  columns: [
    shared.id, shared.relay, shared.client, shared.upstream,
    { at: 'age', label: 'Age', by: 'age', width: '92px', class: 'num', show: item => [elapsed(item.age_ms), `accepted ${absolute(item.accepted)}`] },
    traffic('bytes_up', '↑ bytes', 'bytes_up', bytes, 'Bytes from the client to the upstream'),
    traffic('bytes_down', '↓ bytes', 'bytes_down', bytes, 'Bytes from the upstream to the client'),
    traffic('rate_up', '↑ rate', 'rate_up', rate, 'Bytes a second up (recent average)'),
    traffic('rate_down', '↓ rate', 'rate_down', rate, 'Bytes a second down (recent average)'),
    { at: 'state', label: 'State', by: 'waits', width: '200px', title: 'Which side waits for the other, and for how long', show: activity },
    { at: 'act', width: '58px', class: 'num' },
  ],
  sorted: () => refreshTable(true), opened: item => openOne(item.id), kill,
  empty: () => filtered() ? ['No open connection matches.', 'Esc in the filter clears it.']
    : ['No client is connected.', `Connections appear here as soon as they are accepted${listening()}.`],
});

const endedTable = new Table($('ended'), {
  name: 'Ended connections', appends: false, sort: { by: 'time', isTurned: false },
  columns: [
    { at: 'when', label: 'Ended', by: 'time', width: '104px', show: item => [ago(item.time), absolute(item.time)] },
    shared.id, shared.relay, shared.client, shared.upstream,
    traffic('bytes_up', '↑ bytes', 'bytes_up', bytes, 'Bytes from the client to the upstream'),
    traffic('bytes_down', '↓ bytes', 'bytes_down', bytes, 'Bytes from the upstream to the client'),
    { at: 'duration', label: 'Lasted', by: 'duration_ms', width: '92px', class: 'num sum', show: item => [duration(item.duration_ms), `${whole(item.duration_ms)} ms`] },
    { at: 'reason', label: 'Reason', by: 'reason', isText: true, width: '15%',
      show: item => [item.reason, [item.errno ? `${item.reason}: ${item.errno}` : item.reason, item.waited_for ? `the ${item.waited_for} was not reading` : ''].filter(Boolean).join('; '), toneOfReason(item.reason)] },
    { at: 'closed_by', label: 'Closed by', by: 'closed_by', isText: true, width: '88px', show: item => [item.closed_by] },
  ],
  sorted: () => showEnded(true), opened: item => openOne(item.id), kill: null,
  empty: () => filtered() || $('of-reason').value ? ['No ended connection matches.', 'Only the last 512 are listed.']
    : ['No connection has ended yet.', 'Ended connections are listed here, with the side that closed them and the reason.'],
});
const tables = { open: openTable, ended: endedTable };

function listening() {
  const all = [...relays.values()].flatMap(relay => relay.configured ? relay.listeners : []);
  return all.length ? `; listening on ${all.slice(0, 3).join(', ')}${all.length > 3 ? ' …' : ''}` : '';
}
