// ---- The opened connection: story, legs, facts

let one = null;

class One {
  constructor(id) {
    this.id = id;
    this.samples = [];
    this.title = h('h2', { id: 'one-title', tabindex: -1 }, `Connection ${id}`);
    this.state = h('span', { class: 'pill', id: 'one-state' });
    this.killer = h('button', { hidden: true, title: 'Reset both sides (x)', click: () => kill(this.facts) }, 'Kill');
    this.story = h('ol', { id: 'story' });
    this.client = new LegBox('Client');
    this.upstream = new LegBox('Upstream');
    this.moved = { up: h('b', { class: 'up' }), down: h('b', { class: 'down' }), rateUp: h('span', { class: 'dim' }), rateDown: h('span', { class: 'dim' }) };
    this.graph = new Graph(`Rates of connection ${id} over the last two minutes`);
    this.sheet = h('dl', { class: 'sheet' });
    this.sheets = new Map();
    this.wire = new Wire(this);
    $('one').replaceChildren(
      h('header', {}, this.title, this.state, h('span', { class: 'gap' }), this.killer,
        h('button', { class: 'icon', 'aria-label': 'Close', title: 'Close (Esc)', click: closeOne }, '✕')),
      h('div', { class: 'inside' },
        h('section', { 'aria-label': 'Story' }, this.story),
        h('div', { class: 'path' }, this.client.root,
          h('div', { class: 'flows' }, h('div', {}, this.moved.up, this.moved.rateUp), h('hr', {}), h('div', {}, this.moved.down, this.moved.rateDown)),
          this.upstream.root),
        this.graph.root,
        this.wire.root,
        h('section', { 'aria-label': 'Facts' }, this.sheet)));
  }

  /** Requests the connection each second while it is open and shown. */
  async run() {
    while (one === this) {
      if (!document.hidden && !isLost()) {
        try {
          this.show(await api(`/v1/connections/${this.id}`));
        } catch (error) {
          if (one !== this) return;
          const record = ended.find(item => item.id === this.id);
          if (error.status === 404) {
            if (record) this.show({ ...record, state: 'closed', age_ms: record.duration_ms, rate_up: 0, rate_down: 0, waits: null, legs: null });
            this.lines([record ? 'Its story is no longer available; this is its end record.' : `No connection with id ${this.id}.`]);
            return;
          }
          // A refusal, such as of a process from before an upgrade that does not answer; it may pass.
          if (error.status) this.lines([sentence(error.message)]);
        }
      }
      if (this.facts?.state === 'closed') return;
      await new Promise(resolve => setTimeout(resolve, 1000));
    }
  }

  lines(list) {
    while (this.story.children.length > list.length) this.story.lastChild.remove();
    list.forEach((line, at) => say(this.story.children[at] || this.story.appendChild(h('li', {})), line));
  }

  show(facts) {
    if (one !== this) return;
    this.facts = facts;
    const isClosed = facts.state === 'closed', [text, why, tone] = activity(facts);
    setText(this.title, `Connection ${facts.id} · ${facts.relay}`);
    setText(this.state, isClosed ? facts.reason || 'ended' : text);
    mark(this.state, 'class', `pill ${isClosed ? toneOfReason(facts.reason) : tone === 'moving' ? 'good' : tone}`);
    mark(this.state, 'title', why);
    this.killer.hidden = isClosed;
    if (facts.story) this.lines(facts.story);
    const waits = facts.waits?.for || '';
    this.client.show(facts.legs?.client, facts.client, waits, 'client', facts);
    const { upstream_proxy: proxy } = facts;
    // With a proxy, the leg's address is the proxy's.
    this.upstream.show(proxy ? { ...facts.legs?.upstream, address: facts.upstream } : facts.legs?.upstream, facts.upstream_address || facts.upstream, waits, 'upstream', facts);
    setText(this.moved.up, `${bytes(facts.bytes_up)} →`);
    setText(this.moved.down, `← ${bytes(facts.bytes_down)}`);
    setText(this.moved.rateUp, isClosed ? 'up in all' : rate(facts.rate_up));
    setText(this.moved.rateDown, isClosed ? 'down in all' : rate(facts.rate_down));
    if (!isClosed) sample(this.samples, Date.now(), facts.rate_up, facts.rate_down);
    this.graph.root.hidden = isClosed && this.samples.length < 2;
    this.graph.show(this.samples);
    this.wire.show(facts);
    const rows = [
      ['Relay', facts.relay], ['Load balancer', facts.proxied_by, 'mono'], ['Unique id', facts.unique_id, 'mono'], ['Server name', facts.server_name, 'mono'], ['ALPN', facts.alpn, 'mono'], ['TLS hello', facts.tls_hello?.fault], ['TLS', facts.tls, 'mono wide'], ['TLS peer', facts.tls_peer, 'mono wide'], ['Upstream TLS', facts.upstream_tls, 'mono wide'], ['Upstream TLS peer', facts.upstream_tls_peer, 'mono wide'], ['TLS fault', facts.tls_fault], ['Listener', facts.listener, 'mono'], ['Upstream as configured', facts.upstream, 'mono'], ['Upstream proxy', facts.upstream_proxy, 'mono'],
      ['Accepted', facts.accepted ? `${clock(facts.accepted)} ${zone(facts.accepted)}` : null, '', absolute(facts.accepted)],
      ['Ended', facts.time ? `${clock(facts.time)} ${zone(facts.time)}` : null, '', absolute(facts.time)],
      isClosed ? ['Lasted', duration(facts.duration_ms)] : ['Open for', elapsed(facts.age_ms)],
      ['Connected after', facts.connect_ms == null ? null : duration(facts.connect_ms)],
      ['First byte down after', facts.first_byte_ms == null ? null : duration(facts.first_byte_ms)],
      ['Held until the upstream was up', facts.held_ms == null ? null : `${duration(facts.held_ms)}, ${plural(facts.attempts, 'attempt')}`],
      ['Closed by', facts.closed_by],
      ['Waited for', facts.waited_for && isClosed ? `${facts.waited_for}, ${bytes(facts.held_bytes)} held, for ${duration(facts.waited_ms)}` : null], ['System error', facts.errno, 'mono'],
      ['Up', exact(facts.bytes_up)], ['Down', exact(facts.bytes_down)],
      ['Spliced up / down', facts.spliced_up || facts.spliced_down ? `${bytes(facts.spliced_up)} / ${bytes(facts.spliced_down)}` : null],
      ['Data path', isClosed || facts.splices == null ? null : facts.splices ? 'splice (in the kernel)' : 'copy'],
      ['Recorded', facts.recorded_bytes == null ? null : bytes(facts.recorded_bytes) + (facts.dropped_bytes ? `, ${bytes(facts.dropped_bytes)} dropped` : '')],
      ['Generation', facts.generation],
    ].filter(row => row[1] != null);
    const keys = new Set(rows.map(row => row[0]));
    for (const [key, cell] of this.sheets) if (!keys.has(key)) { cell.parentNode.remove(); this.sheets.delete(key); }
    let before = null;
    for (const [key, value, kind, title] of rows) {
      let cell = this.sheets.get(key);
      if (!cell) {
        cell = h('dd', { class: kind || null });
        const block = h('div', {}, h('dt', {}, key), cell);
        if (before) before.after(block); else this.sheet.prepend(block);
        this.sheets.set(key, cell);
      }
      setText(cell, value);
      mark(cell, 'title', title || null);
      before = cell.parentNode;
    }
  }
}

/** One leg: its address, its state and the kernel's TCP information. */
class LegBox {
  constructor(name) {
    this.address = h('span', { class: 'addr' });
    this.notes = h('div', { class: 'note' });
    this.kernel = h('div', { class: 'dim' });
    this.root = h('div', { class: 'leg', role: 'group', 'aria-label': name }, h('b', {}, name), this.address, this.notes, this.kernel);
  }

  show(leg, address, waits, side, facts) {
    setText(this.address, leg?.address || address || '–');
    const isBlocked = waits === `${side}_reads` || waits === 'both_read';
    const notes = [];
    if (side === 'upstream' && facts.upstream_proxy) {
      const { upstream_proxy: proxy, upstream_address: at } = facts;
      notes.push(`through the proxy ${proxy}${at && at !== proxy ? ` (${at})` : ''}`);
    }
    if (isBlocked) notes.push('not reading');
    if (leg?.held_bytes) notes.push(`${bytes(leg.held_bytes)} held for it${leg.blocked_ms ? ` for ${elapsed(leg.blocked_ms)}` : ''}`);
    if (leg?.ended) notes.push('has closed its half');
    if (leg?.failed) notes.push('its socket failed');
    const isCut = facts.state === 'closed' && facts.waited_for === side;
    if (isCut) notes.push(`had not read for ${duration(facts.waited_ms)}; ${bytes(facts.held_bytes)} was waiting for it`);
    const end = facts.state === 'closed' && deed(facts, side);
    if (end) notes.push(end);
    if (side === 'upstream' && facts.state === 'connecting') notes.push('not connected yet');
    setText(this.notes, notes.join('; '));
    mark(this.root, 'class', `leg${leg?.failed || end && connectFailure[facts.reason] ? ' fault' : isBlocked || isCut ? ' waits' : ''}`);
    const tcp = leg?.tcp;
    setText(this.kernel, [
      leg?.quiet_ms != null && facts.state !== 'connecting' ? `quiet for ${elapsed(leg.quiet_ms)}` : '',
      tcp ? `RTT ${tcp.rtt_us < 1000 ? `${tcp.rtt_us}${thin}µs` : `${(tcp.rtt_us / 1000).toFixed(1)}${thin}ms`}` : '',
      tcp?.send_queue ? `${bytes(tcp.send_queue)} sent, not acknowledged` : '', tcp?.receive_queue ? `${bytes(tcp.receive_queue)} received, not read` : '',
      tcp?.retransmits ? plural(tcp.retransmits, 'retransmit') : '', tcp?.congestion_control || '',
    ].filter(Boolean).join(' · '));
  }
}
