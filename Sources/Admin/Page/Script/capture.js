// ---- Saving a live stream to a file

/** A running capture: whole blocks in memory, up to a limit, until it is saved. */
class Capture {
  static limit = 64 << 20;

  constructor(path, name, changed) {
    Object.assign(this, { path, name, changed, blocks: [], size: 0, packets: 0 });
    this.cut = new AbortController();
  }

  async run() {
    try {
      const response = await send(this.path, { signal: this.cut.signal });
      if (!response.ok) throw new Refusal(response.status, await response.json().catch(() => null));
      const reader = new BlockReader();
      for await (const piece of pieces(response.body)) {
        for (const block of reader.take(piece)) {
          if (this.size + block.bytes.length > Capture.limit) return notify(`The capture of ${this.name} reached ${bytes(Capture.limit)} and was saved.`);
          this.blocks.push(block.bytes.slice());
          this.size += block.bytes.length;
          if (block.type === 6) this.packets++;
        }
        this.changed();
      }
    } catch (error) {
      if (error.name !== 'AbortError') notify(`The capture of ${this.name} was interrupted: ${error.message}`, true);
    } finally {
      this.cut.abort();
      this.isOver = true;
      if (this.blocks.length) save(this.blocks, this.name);
      this.changed();
    }
  }

  stop() { this.cut.abort(); }
}

function save(blocks, name) {
  const stamp = new Date(now()).toISOString().replace(/[-:]|\.\d+/g, '');
  const url = URL.createObjectURL(new Blob(blocks, { type: 'application/x-pcapng' }));
  h('a', { href: url, download: `${name.replace(/[^\w.-]+/g, '_')}-${stamp}.pcapng` }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60000);
}

async function* pieces(stream) {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}
