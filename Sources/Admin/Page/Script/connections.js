// ---- Filter

const filterText = () => $('filter').value.trim().toLowerCase();
const filtered = () => filterText() || $('of-relay').value;

function matches(item) {
  const words = filterText().split(/\s+/).filter(Boolean);
  if (!words.length) return true;
  const text = [`#${item.id}`, item.relay, item.client, item.listener, item.upstream, item.upstream_address, item.proxied_by, item.unique_id, item.server_name, item.alpn, item.reason, item.closed_by,
    item.errno, item.state && activity(item)[0], item.state].join(' ').toLowerCase();
  return words.every(word => /^\d+$/.test(word) ? String(item.id) === word || text.includes(word) : text.includes(word));
}

// ---- Open connections, requested while their table is shown

let wake = null, isForced = false, isPatient = false, tableTimer = null;
function refreshTable(force = false) { isForced ||= force; wake?.(); }
/** Coalesces requests, and makes none while answers are slow. */
function refreshTableSoon() { if (!isPatient) tableTimer ??= setTimeout(() => { tableTimer = null; refreshTable(); }, 250); }
const rest = ms => new Promise(resolve => { const timer = setTimeout(done, ms); function done() { clearTimeout(timer); wake = null; resolve(); } wake = done; });

async function watchConnections() {
  for (;;) {
    let pause = 1000;
    if (!isLost() && link !== 'connecting' && view === 'open' && !document.hidden) {
      const started = performance.now(), force = isForced, { sort } = openTable;
      isForced = false;
      const query = new URLSearchParams({ sort: (sort.isTurned ? '-' : '') + sort.by, limit: filterText() ? 10000 : Math.min(openTable.limit, 10000) });
      if ($('of-relay').value) query.set('relay', $('of-relay').value);
      try {
        const answer = await api(`/v1/connections?${query}`);
        const list = filterText() ? answer.connections.filter(matches) : answer.connections;
        // The filter has changed since the request: its result would be stale.
        if (!isForced) {
          openTable.show(list, filterText() ? list.length : answer.total, force);
          if (!filtered()) openTotal = answer.total;
        } else isForced ||= force;
      } catch (error) {
        if (error.status === 404) { $('of-relay').value = ''; }
        if (force) isForced = true;
      }
      // A long list is costly for the server and for this page, so it is requested less often.
      pause = Math.max(1000, 5 * (performance.now() - started));
      if (isForced) pause = 0;
      isPatient = pause > 1000;
    }
    await rest(pause);
  }
}

// ---- Ended connections

function showEnded(force = false) {
  const relay = $('of-relay').value, reason = $('of-reason').value;
  const list = ended.filter(item => (!relay || item.relay === relay) && matches(item) &&
    (!reason || (reason === '!' ? !ordinary.has(item.reason) : item.reason === reason)));
  const { by, isTurned } = endedTable.sort;
  const column = endedTable.columns.find(column => column.by === by), way = (column.isText ? 1 : -1) * (isTurned ? -1 : 1);
  if (by !== 'time' || isTurned) list.sort((a, b) => way * (a[by] < b[by] ? -1 : a[by] > b[by] ? 1 : 0));
  endedTable.show(list, list.length, force);
}

function addEnded(list) {
  const known = new Set(ended.map(item => item.id));
  ended = [...list.filter(item => !known.has(item.id)), ...ended].slice(0, kept);
}

// ---- The controls above the tables

function choices(select, list, none) {
  const wanted = JSON.stringify(list);
  if (select.dataset.list === wanted) return;
  const value = select.value;
  select.dataset.list = wanted;
  select.replaceChildren(h('option', { value: '' }, none), ...list.map(([key, text]) => h('option', { value: key }, text)));
  select.value = list.some(([key]) => key === value) ? value : '';
}

function showChoices() {
  if (document.activeElement !== $('of-relay')) choices($('of-relay'), [...relays.keys()].map(name => [name, name]), 'All relays');
  const counts = new Map();
  for (const item of ended) counts.set(item.reason, (counts.get(item.reason) || 0) + 1);
  const trouble = ended.filter(item => !ordinary.has(item.reason)).length;
  if (document.activeElement !== $('of-reason')) {
    choices($('of-reason'), [['!', `not closed cleanly (${trouble})`], ...[...counts].sort((a, b) => b[1] - a[1]).map(([reason, count]) => [reason, `${reason} (${count})`])],
      'All reasons');
  }
}

function showOrder() {
  const table = tables[view];
  choices($('order'), table.columns.filter(column => column.by).map(column => [column.by, `by ${column.label}`]), 'Sort');
  $('order').value = table.sort.by;
}

function switchTo(name) {
  view = name;
  for (const key of ['open', 'ended']) {
    const tab = $(`tab-${key}`), isIt = key === name;
    mark(tab, 'aria-selected', isIt);
    tab.tabIndex = isIt ? 0 : -1;
    $(key).hidden = !isIt;
  }
  $('of-reason').hidden = name !== 'ended';
  showOrder();
  refilter();
}
function refilter() {
  if (view === 'open') refreshTable(true); else showEnded(true);
  schedulePaint();
}

async function kill(item) {
  const from = document.activeElement;
  const isMeant = await confirmed(`Kill connection ${item.id}?`,
    [`${item.client} → ${item.upstream_address || item.upstream}, relay ${item.relay}.`, 'Both sides are reset immediately, and bytes in transit are lost. The end record gets the reason “killed”.'], 'Kill connection');
  from?.focus?.();
  if (!isMeant) return;
  try {
    await api(`/v1/connections/${item.id}`, 'DELETE');
    notify(`Connection ${item.id} was reset.`);
  } catch (error) {
    notify(error.status === 404 ? `Connection ${item.id} had already ended.` : `Connection ${item.id} was not reset: ${error.message}`, error.status !== 404);
  }
  refreshTable();
}
