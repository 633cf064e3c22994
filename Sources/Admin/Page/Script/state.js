// ---- State

const relays = new Map();      // by name: the API's relay, with samples of its rates over two minutes
let status = null, statusAt = 0;
let ended = [];                // end records, newest first
const kept = 512;
let link = 'connecting';       // also: live, polling, silent (no event for `silence`), lost
const isLost = () => link === 'lost' || link === 'silent';
let lostAt = 0;                // when the link was lost
let openTotal = null;

const ordinary = new Set(['client_closed', 'upstream_closed']);
const sum = table => Object.values(table || {}).reduce((total, count) => total + count, 0);

function updateRelays(list) {
  const names = new Set(list.map(relay => relay.name));
  for (const name of relays.keys()) if (!names.has(name)) relays.delete(name);
  const before = new Map(relays);
  relays.clear();              // reinserted in the order of the configuration
  for (const relay of list) relays.set(relay.name, Object.assign(before.get(relay.name) || { samples: [] }, relay));
}

function updateCounters(list, at) {
  let isNew = false;
  for (const counters of list) {
    const relay = relays.get(counters.name);
    if (!relay) { isNew = true; continue; }
    Object.assign(relay, counters);
    sample(relay.samples, at, counters.rate_up, counters.rate_down);
  }
  return isNew;
}

function sample(samples, t, up, down) {
  if (samples.length && t - samples[samples.length - 1].t < 300) samples.pop();
  samples.push({ t, up, down });
  while (samples.length && t - samples[0].t > 125000) samples.shift();
}

/** Puts the rates that the server has sampled before the page's own samples. */
function addHistory(history) {
  const end = now();
  for (const { name, rate_up: up, rate_down: down } of history.relays) {
    const relay = relays.get(name);
    if (!relay) continue;
    const ages = history.age_ms.slice(-up.length), first = relay.samples[0]?.t ?? Infinity;
    const older = ages.map((age, at) => ({ t: end - age, up: up[at], down: down[at] })).filter(sample => sample.t < first - 300);
    relay.samples = [...older, ...relay.samples];
  }
}

function updateStatus(answer) {
  // Another process: its connection ids and counters start over.
  if (status && (status.pid !== answer.pid || status.started !== answer.started)) { ended = []; relays.clear(); }
  status = answer;
  statusAt = Date.now();
  skew = Date.parse(answer.started) + answer.uptime_ms - statusAt;
}
