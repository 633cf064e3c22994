// ---- The header

const vitals = new Map();
function vital(key, text, title) {
  let cell = vitals.get(key);
  if (!cell) {
    cell = h('dd', {});
    vitals.set(key, cell);
    $('vitals').append(h('div', {}, h('dt', {}, key), cell));
  }
  setText(cell, text);
  mark(cell.parentNode, 'title', title);
}

function showStatus() {
  const faults = [...relays.values()].filter(failing);
  const more = faults.length ? `, ${plural(faults.length, 'relay')} failing` : '';
  const state = link === 'lost' ? ['connection lost', 'bad'] : link === 'silent' ? ['not answering', 'bad'] : !status ? ['connecting', '']
    : status.draining ? [`draining${more}`, more ? 'bad' : 'warn'] : [`running${more}`, more ? 'bad' : 'good'];
  setText($('state'), state[0]);
  mark($('state'), 'class', `pill ${state[1]}`);
  mark($('state'), 'title', link === 'polling' ? 'No event stream; updated every second' : faults.length ? faults.map(relay => `${relay.name}: ${failing(relay).cause}`).join('\n') : link === 'live' ? 'Live updates' : null);
  if (!status) return;
  setText($('version'), status.version);
  mark($('version'), 'title', `tapline ${status.version}, process ${status.pid}${status.configuration ? `, ${status.configuration}` : ''}`);
  const all = [...relays.values()], total = key => all.reduce((count, relay) => count + (relay[key] || 0), 0);
  const open = link === 'live' || all.length ? total('open') : status.open_connections;
  vital('up', elapsed(status.uptime_ms + (isLost() ? lostAt : Date.now()) - statusAt), `since ${status.upgraded ? 'the upgrade at ' : ''}${absolute(status.started)}`);
  vital('generation', status.generation, status.configuration ? `of ${status.configuration}` : 'started without a configuration file');
  vital('open', whole(open), 'Connections open now');
  vital('↑', rate(total('rate_up')), 'All relays, client to upstream');
  vital('↓', rate(total('rate_down')), 'All relays, upstream to client');
  vital('memory', bytes(status.memory.resident_bytes), status.memory.resident_bytes === null ? 'Unknown: /proc is not mounted' : `${bytes(status.memory.private_bytes)} of it private`);
  vital('fds', whole(status.descriptors.open), `Open descriptors, of ${whole(status.descriptors.limit)} allowed`);
  const older = status.predecessors || [];
  if (older.length) {
    vital('predecessor', older.map(item => item.open_connections === null ? `${item.pid}` : `${item.pid}: ${whole(item.open_connections)} left`).join(', '),
      older.map(item => item.trouble ? `Process ${item.pid}: ${item.trouble}` : `Process ${item.pid} lets its connections finish after an upgrade${item.ends_within_ms === null ? '' : `, for up to ${elapsed(item.ends_within_ms)}`}`).join('. '));
  } else if (vitals.has('predecessor')) {
    vitals.get('predecessor').parentNode.remove();
    vitals.delete('predecessor');
  }
  $('reload').hidden = status.configuration === null;
  setText($('n-open'), whole(open));
  const endedCount = Math.max(ended.length, all.reduce((count, relay) => count + sum(relay.ended), 0));
  setText($('n-ended'), whole(endedCount));
  mark($('tab-ended'), 'title', endedCount > ended.length ? `Ended connections (2): the last ${whole(ended.length)} of ${whole(endedCount)} are listed` : 'Ended connections (2)');
  document.title = `${isLost() ? '(lost) ' : status.draining ? '(draining) ' : ''}Tapline${open ? ` · ${open} open` : ''}`;
  const last = status.last_reload, isTroubled = last?.result === 'rejected' && $('reloaded').hidden;
  $('troubled').hidden = !isTroubled;
  if (isTroubled) setText($('troubled-text'), `The last reload was rejected ${ago(last.time)}: ${plural(last.problems.length, 'error')}. Generation ${last.generation} stays active.`);
}
