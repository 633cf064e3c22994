// ---- Painting, at most eight times a second and only after a change

let needsPaint = false, painter = null;
function schedulePaint() {
  needsPaint = true;
  painter ??= setTimeout(() => { painter = null; requestAnimationFrame(paint); if (document.hidden) paint(); }, 120);
}
function paint() {
  if (!needsPaint) return;
  needsPaint = false;
  showRelays();
  showChoices();
  if (view === 'ended') showEnded();
  showStatus();
}

// ---- Following the server

async function refresh(limit) {
  const [nextStatus, nextRelays] = await Promise.all([api('/v1/status', 'GET', limit), api('/v1/relays', 'GET', limit)]);
  updateStatus(nextStatus);
  updateRelays(nextRelays.relays);
  schedulePaint();
}
let soon = null;
function refreshSoon() { soon ??= setTimeout(() => { soon = null; refresh().catch(() => {}); }, 150); }

/** The rates before the page was loaded. An older server does not have them. */
async function loadHistory() {
  try {
    addHistory(await api('/v1/history'));
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

async function loadEnded() {
  const query = ended.length ? `since=${ended[0].id}&limit=${kept}` : `limit=${kept}`;
  addEnded((await api(`/v1/closed?${query}`)).closed);
  schedulePaint();
}

/** Handles one event of the stream. */
function handleEvent(name, data) {
  if (name === 'counters') {
    const at = Date.parse(data.time);
    // The counters do not have memory, descriptors and recorded bytes.
    const isOld = !document.hidden && Date.now() - statusAt > 5000;
    if (updateCounters(data.relays, at) || data.generation !== status.generation || isOld) refreshSoon();
    status.open_connections = data.open_connections;
  } else if (name === 'closed') addEnded([data]);
  else if (name === 'opened') refreshTableSoon();
  else if (name === 'reload') {
    if (!reloading && data.source !== 'api') showReload(data, false);
    refreshSoon();
  } else if (name === 'draining') { status.draining = true; refreshSoon(); }
  else if (name === 'lost') loadEnded().catch(() => {});
  schedulePaint();
}

/** Counters are sent each second. In a hidden tab, browsers run timers late. */
const silence = () => document.hidden ? 20000 : 4000;

/** Reads server-sent events with fetch, which can send the token. Returns when the stream ends. */
async function events() {
  const cut = new AbortController();
  let timer;
  const restartTimeout = () => { clearTimeout(timer); timer = setTimeout(() => cut.abort(), silence()); };
  restartTimeout();
  try {
    const response = await send('/v1/events', { signal: cut.signal });
    if (!response.ok || !response.body) throw new Refusal(response.status, await response.json().catch(() => null));
    link = 'live';
    const decoder = new TextDecoder();
    let text = '', name = 'message', data = '';
    for await (const piece of pieces(response.body)) {
      restartTimeout();
      text += decoder.decode(piece, { stream: true });
      const lines = text.split('\n');
      text = lines.pop();
      if (text.length > 1 << 22) throw new Error('an event is too long');
      for (const raw of lines) {
        const line = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
        if (line === '') {
          if (data) handleEvent(name, JSON.parse(data));
          name = 'message';
          data = '';
        } else if (line.startsWith('event:')) name = line.slice(6).trim();
        else if (line.startsWith('data:')) data += line.slice(5);
      }
    }
  } finally {
    clearTimeout(timer);
    cut.abort();
  }
}

/** Polls each second for a minute, when there is no stream of events. */
async function poll() {
  link = 'polling';
  for (let round = 0; round < 60; round++) {
    await refresh();
    for (const relay of relays.values()) sample(relay.samples, now(), relay.rate_up, relay.rate_down);
    await loadEnded();
    await new Promise(resolve => setTimeout(resolve, 1000));
  }
}

function lose(state) {
  if (!isLost()) lostAt = Date.now();
  link = state;
  document.body.classList.add('lost');
  schedulePaint();
}

async function followServer() {
  let failures = 0;
  for (;;) {
    try {
      await refresh();
      await loadHistory();
      await loadEnded();
      failures = 0;
      $('lost').hidden = true;
      link = 'polling';
      needsPaint = true;
      paint();
      refreshTable(true);
      document.body.classList.remove('lost');
      try {
        await events();
      } catch (error) {
        if (!(error instanceof Refusal) && error.name !== 'AbortError') throw error;
        // A silent stream: a stopped server, or a proxy that holds events back. The next answer decides.
        if (error.name === 'AbortError') { lose('silent'); await refresh(3000); document.body.classList.remove('lost'); }
        await poll();
      }
      // The stream has ended in order: reconnect, which shows whether the server is still there.
      await new Promise(resolve => setTimeout(resolve, 500));
    } catch (error) {
      lose('lost');
      failures++;
      for (let left = Math.min(2 ** (failures - 1), 10); left > 0; left--) {
        setText($('lost-text'), error instanceof Refusal ? `${error.message} Trying again in ${left} s.` : `No connection to Tapline. Showing the last known state. Trying again in ${left} s.`);
        $('lost').hidden = false;
        if (await new Promise(resolve => { const timer = setTimeout(() => resolve(false), 1000); $('retry').onclick = () => { clearTimeout(timer); resolve(true); }; })) break;
      }
      setText($('lost-text'), 'Connecting to Tapline …');
    }
  }
}
