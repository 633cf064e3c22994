// ---- Relays

const cards = new Map();

class Card {
  constructor(name) {
    this.name = name;
    this.graph = new Graph(`Rates of ${name} over the last two minutes`);
    this.title = h('button', { title: 'Show only its connections', click: () => { $('of-relay').value = $('of-relay').value === name ? '' : name; refilter(); } }, name);
    this.note = h('span', { class: 'pill', hidden: true });
    this.listeners = h('b', {});
    this.proxy = h('span', { hidden: true });
    this.upstream = h('b', {});
    this.path = h('span', {}, ' → ', this.proxy, this.upstream);
    this.stats = {};
    const stat = (key, label, title) => h('div', { title }, h('dt', {}, label), this.stats[key] = h('dd', {}));
    this.facts = h('div', { class: 'facts' });
    this.chips = h('div', { class: 'chips' });
    this.switch = h('button', { class: 'switch', role: 'switch', 'aria-label': `Record ${name}`, click: () => this.record() });
    this.word = h('span', {});
    this.switch.append(this.word);
    this.capture = h('button', { class: 'capture', click: () => this.toggleCapture(), title: 'Capture the traffic from now on in this page, and save it as pcapng' });
    this.file = h('span', { class: 'file', hidden: true });
    this.root = h('article', { class: 'card', 'data-relay': name, 'aria-label': `Relay ${name}` },
      h('header', {}, h('h3', {}, this.title), this.note),
      h('p', { class: 'route' }, this.listeners, this.path),
      h('dl', { class: 'stats' }, stat('open', 'open', 'Connections open now'), stat('up', h('span', { class: 'up' }, '↑ up'), 'Client to upstream'),
        stat('down', h('span', { class: 'down' }, '↓ down'), 'Upstream to client')),
      this.graph.root, this.facts, this.chips, h('div', { class: 'grow' }), h('div', { class: 'rec' }, this.switch, this.capture, this.file));
  }

  show(relay) {
    this.relay = relay;
    mark(this.root, 'class', ['card', relay.configured ? '' : 'gone', failing(relay) ? 'failing' : '', $('of-relay').value === relay.name ? 'chosen' : ''].filter(Boolean).join(' '));
    mark(this.title, 'aria-pressed', $('of-relay').value === relay.name);
    setText(this.listeners, relay.listeners?.map(address => (relay.tls ? 'tls ' : '') + address).join(', ') || 'no listener');
    this.path.hidden = !relay.upstream;
    setText(this.upstream, (relay.upstream_tls ? 'tls ' : '') + (relay.upstream || ''));
    this.proxy.hidden = !relay.upstream_proxy;
    setText(this.proxy, `${relay.upstream_proxy} → `);
    mark(this.proxy, 'title', 'The proxy through which Tapline connects to the upstream');
    const fault = failing(relay);
    this.note.hidden = relay.configured !== false && !fault;
    mark(this.note, 'class', `pill ${fault ? 'bad' : ''}`);
    mark(this.note, 'title', fault?.share);
    setText(this.note, fault ? fault.cause : 'removed by a reload');
    setText(this.stats.open, whole(relay.open));
    setText(this.stats.up, rate(relay.rate_up));
    setText(this.stats.down, rate(relay.rate_down));
    this.graph.show(relay.samples);
    mark(this.graph.picture, 'aria-label', `${this.graph.label}: now ${rate(relay.rate_up)} up, ${rate(relay.rate_down)} down`);
    const failures = sum(relay.connect_failures);
    const facts = [
      [`${whole(relay.accepted)} accepted`, `${relay.rate_accepted} per second (recent average)`],
      [`↑ ${bytes(relay.bytes_up)}`, exact(relay.bytes_up) + ' up in total'], [`↓ ${bytes(relay.bytes_down)}`, exact(relay.bytes_down) + ' down in total'],
      failures ? [`${plural(failures, 'failed connect')}`, Object.entries(relay.connect_failures).map(pair => pair.join(': ')).join(', ')] : ['no failed connects', 'Every connect to the upstream has succeeded'],
      ...(fault ? [[fault.share, 'The relay stays red until a connect succeeds']] : []),
      ...(relay.accept_pauses ? [[plural(relay.accept_pauses, 'accept pause'), 'How often accepting paused, at a limit or because a listener failed']] : []),
    ];
    while (this.facts.children.length > facts.length) this.facts.lastChild.remove();
    facts.forEach(([text, title], at) => {
      const span = this.facts.children[at] || this.facts.appendChild(h('span', {}));
      setText(span, text);
      mark(span, 'title', title);
    });
    const bad = Object.entries(relay.ended || {}).filter(([reason, count]) => count && !ordinary.has(reason)).sort((a, b) => b[1] - a[1]);
    const trouble = bad.slice(0, 2);
    if (bad.length > 2) trouble.push(['!', bad.slice(2).reduce((total, pair) => total + pair[1], 0)]);
    this.chips.title = bad.map(pair => pair.join(': ')).join(', ');
    while (this.chips.children.length > trouble.length) this.chips.lastChild.remove();
    trouble.forEach(([reason, count], at) => {
      const chip = this.chips.children[at] || this.chips.appendChild(h('button', { click: event => this.trouble(event.currentTarget.dataset.reason) }));
      chip.dataset.reason = reason;
      setText(chip, reason === '!' ? `+${whole(count)}` : `${reason} ${whole(count)}`);
    });
    const recording = relay.recording;
    this.switch.hidden = relay.configured === false && !recording?.recording;
    if (recording) {
      mark(this.switch, 'aria-checked', String(recording.recording));
      setText(this.word, recording.recording ? `Recording, ${bytes(recording.recorded_bytes)}` : 'Record');
      mark(this.switch, 'title', recording.recording ? `since ${absolute(recording.since)}` : 'Record to a file on the server');
      this.file.hidden = !recording.file && !recording.dropped_bytes;
      const said = [recording.file, recording.dropped_bytes ? `${bytes(recording.dropped_bytes)} dropped` : ''].filter(Boolean).join(' · ');
      if (this.file.textContent !== said) this.file.replaceChildren(...pathParts(said));
    }
    const running = this.running;
    setText(this.capture, running ? `Stop and save (${plural(running.packets, 'packet')}, ${bytes(running.size)})` : 'Capture live');
    mark(this.capture, 'aria-pressed', !!running);
  }

  trouble(reason) {
    $('of-relay').value = this.name;
    switchTo('ended');
    showChoices();
    $('of-reason').value = reason;
    if ($('of-reason').value !== reason) $('of-reason').value = '';
    refilter();
    $('work').scrollIntoView({ block: 'start' });
  }

  async record() {
    const isOn = this.relay.recording?.recording;
    this.switch.disabled = true;
    try {
      const answer = await api(`/v1/relays/${encodeURIComponent(this.name)}/recording`, isOn ? 'DELETE' : 'POST');
      this.relay.recording = answer;
      notify(answer.recording ? `Recording ${this.name}${answer.file ? ` to ${answer.file}` : ''}.` : `Stopped recording ${this.name}; the file is closed.`);
    } catch (error) {
      notify(`Recording of ${this.name}: ${error.message}`, true);
    }
    this.switch.disabled = false;
    this.switch.focus();
    schedulePaint();
    refreshSoon();
  }

  toggleCapture() {
    if (this.running) return this.running.stop();
    const capture = this.running = new Capture(`/v1/tap?${new URLSearchParams({ relay: this.name })}`, this.name, () => {
      if (capture.isOver) this.running = null;
      schedulePaint();
    });
    capture.run();
    schedulePaint();
  }
}

function showRelays() {
  for (const [name, card] of cards) if (!relays.has(name)) { card.running?.stop(); card.root.remove(); cards.delete(name); }
  let at = $('relays').firstChild;
  for (const relay of relays.values()) {
    let card = cards.get(relay.name);
    if (!card) cards.set(relay.name, card = new Card(relay.name));
    if (relay.open !== undefined) card.show(relay);
    if (card.root === at) at = at.nextSibling; else $('relays').insertBefore(card.root, at);
  }
  $('no-relays').hidden = relays.size > 0 || !status;
}
