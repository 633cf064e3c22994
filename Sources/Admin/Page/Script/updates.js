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

async function refresh() {
  const [nextStatus, nextRelays] = await Promise.all([api('/v1/status'), api('/v1/relays')]);
  updateStatus(nextStatus);
  updateRelays(nextRelays.relays);
  schedulePaint();
}
let soon = null;
function refreshSoon() { soon ??= setTimeout(() => { soon = null; refresh().catch(() => {}); }, 150); }

async function loadEnded() {
  const query = ended.length ? `since=${ended[0].id}&limit=${kept}` : `limit=${kept}`;
  addEnded((await api(`/v1/closed?${query}`)).closed);
  schedulePaint();
}

/** Handles one event of the stream. */
function handleEvent(name, data) {
  if (name === 'counters') {
    const at = Date.parse(data.time);
    if (updateCounters(data.relays, at) || data.generation !== status.generation) refreshSoon();
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

/** Reads server-sent events with fetch, which can send the token. Returns when the stream ends. */
async function events() {
  const cut = new AbortController();
  let silence;
  const restartTimeout = () => { clearTimeout(silence); silence = setTimeout(() => cut.abort(), 20000); };
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
    clearTimeout(silence);
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

async function followServer() {
  let failures = 0;
  for (;;) {
    try {
      await refresh();
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
        // After a refusal or a silent stream the server still answers, so poll. Otherwise it is gone.
        if (error instanceof Refusal || error.name === 'AbortError') await poll(); else throw error;
      }
      // The stream has ended in order: reconnect, which shows whether the server is still there.
      await new Promise(resolve => setTimeout(resolve, 500));
    } catch (error) {
      if (link !== 'lost') lostAt = Date.now();
      link = 'lost';
      document.body.classList.add('lost');
      schedulePaint();
      failures++;
      for (let left = Math.min(2 ** (failures - 1), 10); left > 0; left--) {
        setText($('lost-text'), error instanceof Refusal ? `${error.message} Trying again in ${left} s.` : `The connection to tapline is lost. Showing the last known state. Trying again in ${left} s.`);
        $('lost').hidden = false;
        if (await new Promise(resolve => { const timer = setTimeout(() => resolve(false), 1000); $('retry').onclick = () => { clearTimeout(timer); resolve(true); }; })) break;
      }
      setText($('lost-text'), 'Trying to reach tapline …');
    }
  }
}
