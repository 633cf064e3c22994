// ---- Live traffic of the opened connection

/** Live traffic as text or hex, of a bounded number of pieces; the oldest are dropped. */
class Wire {
  static kept = 400;           // pieces
  static shownBytes = 2048;    // of each piece
  static file = 32 << 20;      // of whole blocks, for saving

  constructor(owner) {
    this.owner = owner;
    this.pieces = [];
    this.isHex = false;
    this.start = h('button', { class: 'strong', title: 'Watch live traffic (w)', click: () => this.toggle() }, 'Watch live traffic');
    this.pause = h('button', { hidden: true, 'aria-pressed': 'false', title: 'Pause the view; traffic is still collected (p)', click: () => this.hold() }, 'Pause');
    this.clear = h('button', { hidden: true, click: () => { this.pieces = []; this.skipped = 0; this.box.replaceChildren(); this.say(); } }, 'Clear');
    this.saver = h('button', { hidden: true, title: 'Save the watched traffic as pcapng', click: () => save(this.blocks, `connection-${owner.id}`) }, 'Save');
    this.asText = h('button', { 'aria-pressed': 'true', click: () => this.as(false) }, 'Text');
    this.asHex = h('button', { 'aria-pressed': 'false', click: () => this.as(true) }, 'Hex');
    this.shownAs = h('span', { class: 'segments', role: 'group', 'aria-label': 'Shown as' }, this.asText, this.asHex);
    this.box = h('div', { id: 'traffic', role: 'log', 'aria-live': 'off', 'aria-label': 'Live traffic', tabindex: 0, hidden: true });
    this.note = h('p', { class: 'status' });
    this.root = h('section', { id: 'wire', 'aria-label': 'Live traffic' },
      h('div', { class: 'tools' }, h('h3', {}, 'Live traffic'), this.start, this.pause, this.clear, this.saver,
        this.shownAs),
      this.note, this.box);
  }

  show(facts) {
    this.facts = facts;
    const isClosed = facts.state === 'closed';
    this.start.disabled = isClosed && !this.cut;
    const isNothing = this.start.disabled && !this.box.childElementCount;
    this.start.hidden = this.shownAs.hidden = isNothing;
    if (isNothing) say(this.note, facts.recorded_bytes == null ? 'This connection has ended, and it was not recorded.' : `This connection has ended. \`tapline show FILE ${facts.id}\` reads it from its recording.`);
    else if (!this.cut && !this.box.childElementCount) setText(this.note, 'Shows traffic from now on. While you watch, bytes are copied instead of spliced.');
  }

  toggle() {
    if (this.cut) return this.stop();
    this.pieces = [];
    this.box.replaceChildren();
    this.blocks = [];
    Object.assign(this, { size: 0, packets: 0, seen: { up: 0, down: 0 }, skipped: 0, isPaused: false });
    this.decoders = { up: new TextDecoder(), down: new TextDecoder() };
    this.cut = new AbortController();
    this.box.hidden = this.pause.hidden = this.clear.hidden = this.saver.hidden = false;
    mark(this.pause, 'aria-pressed', false);
    setText(this.pause, 'Pause');
    setText(this.start, 'Stop');
    mark(this.start, 'class', null);
    this.run(this.cut);
  }

  async run(cut) {
    const reader = new PacketReader(block => this.keep(block));
    let last = 'Stopped';
    this.say();
    try {
      const response = await send(`/v1/tap?connection=${this.owner.id}`, { signal: cut.signal });
      if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => null));
      for await (const piece of pieces(response.body)) {
        for (const packet of reader.take(piece)) this.add(packet);
      }
      last = 'The connection has ended';
    } catch (error) {
      if (error.name !== 'AbortError') last = `The stream was interrupted: ${error.message}`;
    }
    if (this.cut !== cut) return;
    this.cut = null;
    this.last = last;
    this.isPaused = false;
    setText(this.start, 'Watch again');
    this.start.disabled = this.facts?.state === 'closed';
    // Nothing was received, so there is nothing to show or to save.
    if (!this.packets) this.box.hidden = this.pause.hidden = this.clear.hidden = this.saver.hidden = true;
    this.pause.hidden = true;
    this.flush();
  }

  stop() { this.cut?.abort(); }

  keep(block) {
    if (this.size + block.bytes.length > Wire.file) return;
    this.blocks.push(block.bytes.slice());
    this.size += block.bytes.length;
  }

  /** A packet's direction, by its addresses or else by its flag (inbound: from the client). */
  way(packet) {
    if (packet.from === this.facts?.client) return 'up';
    if (packet.to === this.facts?.client) return 'down';
    return packet.inbound === false ? 'down' : 'up';
  }

  add(packet) {
    const way = this.way(packet);
    this.packets++;
    for (const comment of packet.comments) this.piece({ note: comment.replace(/^tapline: /, '').replace(/ id=\d.*$/s, ''), time: packet.time });
    if (packet.dropped && !packet.comments.length) this.piece({ note: `${plural(packet.dropped, 'segment')} dropped before this`, time: packet.time });
    const { data } = packet;
    if (data.length) {
      const shown = data.slice(0, Wire.shownBytes);
      let text = this.decoders[way].decode(shown, { stream: data.length <= Wire.shownBytes });
      this.piece({ way, time: packet.time, data: shown, count: data.length, offset: this.seen[way], text: plain(text) });
      this.seen[way] += data.length;
    }
    if (packet.flags & 1) this.piece({ note: `${way === 'up' ? '↑' : '↓'} end of stream: the ${way === 'up' ? 'client' : 'upstream'} will send nothing more`, time: packet.time });
    if (packet.flags & 4) this.piece({ note: `${way === 'up' ? '↑' : '↓'} reset`, time: packet.time });
  }

  piece(piece) {
    this.pieces.push(piece);
    if (this.pieces.length > Wire.kept) { this.pieces.shift(); this.skipped++; }
    if (!this.timer) this.timer = setTimeout(() => { this.timer = null; this.flush(); }, 150);
  }

  hold() {
    this.isPaused = !this.isPaused;
    mark(this.pause, 'aria-pressed', this.isPaused);
    setText(this.pause, this.isPaused ? 'Resume' : 'Pause');
    this.flush();
  }

  as(isHex) {
    this.isHex = isHex;
    mark(this.asText, 'aria-pressed', !isHex);
    mark(this.asHex, 'aria-pressed', isHex);
    this.box.replaceChildren();
    for (const piece of this.pieces) piece.element = null;
    this.flush(true);
  }

  /** Shows new pieces. A view that is scrolled away from the end keeps its position. */
  flush(isNewView = false) {
    this.say();
    if (this.isPaused && !isNewView) return;
    const { box } = this, isAtEnd = isNewView || box.scrollHeight - box.scrollTop - box.clientHeight < 40;
    const row = box.clientWidth < 560 ? 8 : 16;
    const from = this.pieces.findIndex(piece => !piece.element);
    if (from >= 0) {
      const fresh = this.pieces.slice(from);
      for (const piece of fresh) piece.element = this.element(piece, row);
      box.append(...fresh.map(piece => piece.element));
    }
    let extra = box.childElementCount - this.pieces.length;
    if (isAtEnd || extra > Wire.kept) while (extra-- > 0) box.firstChild.remove();
    if (isAtEnd) box.scrollTop = box.scrollHeight;
  }

  element(piece, row) {
    const time = isNaN(piece.time) ? '' : clock(piece.time);
    if (piece.note != null) return h('div', { class: 'seg note' }, `${time}  ${plain(piece.note)}`);
    const isUp = piece.way === 'up', more = piece.count - piece.data.length;
    return h('div', { class: `seg ${piece.way}${this.isHex ? ' hex' : ''}` },
      h('div', { class: 'meta' }, h('i', {}, isUp ? '↑ client' : '↓ upstream'), `  ${time}  ${bytes(piece.count)} at ${whole(piece.offset)}`),
      h('pre', {}, this.isHex ? hex(piece.data, piece.offset, row) : piece.text),
      more > 0 && h('div', { class: 'meta' }, `… ${bytes(more)} more, included in Save`));
  }

  say() {
    if (!this.blocks) return;
    setText(this.note, [
      this.cut ? (this.isPaused ? 'Paused; traffic is still collected.' : this.packets ? '' : 'Waiting for the next byte …') : this.last,
      this.packets ? `↑ ${bytes(this.seen.up)}  ↓ ${bytes(this.seen.down)} since you started watching · times in ${zone(now())}` : '',
      this.skipped ? `the oldest ${plural(this.skipped, 'piece')} no longer shown` : '', this.size + 70000 > Wire.file ? `Save contains only the first ${bytes(Wire.file)}` : '',
    ].filter(Boolean).join(' · '));
  }
}

/** Text without control characters (except newline and tab), bidirectional controls and invisible characters. */
function plain(text) {
  return text.replace(/\r\n/g, '\n').replace(/[\u0000-\u0008\u000b-\u001f]/g, character => String.fromCharCode(0x2400 + character.charCodeAt(0)))
    .replace(/\u007f/g, '\u2421').replace(/[\u0080-\u009f\u00ad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb]/g, '\ufffd');
}

function hex(data, offset, row) {
  const lines = [];
  for (let at = 0; at < data.length; at += row) {
    const part = Array.from(data.subarray(at, at + row));
    const digits = part.map((byte, index) => (index && index % 8 === 0 ? ' ' : '') + byte.toString(16).padStart(2, '0')).join(' ');
    const characters = part.map(byte => byte >= 32 && byte < 127 ? String.fromCharCode(byte) : '.').join('');
    lines.push(`${(offset + at).toString(16).padStart(8, '0')}  ${digits.padEnd(row * 3 + (row > 8 ? 0 : -1))}  |${characters}|`);
  }
  return lines.join('\n');
}
