// ---- Reading pcapng from a stream

/** Splits a stream into blocks (the pcapng draft, section 3.1). */
class BlockReader {
  rest = new Uint8Array(0);
  isLittle = true;

  *take(piece) {
    let data = piece;
    if (this.rest.length) {
      data = new Uint8Array(this.rest.length + piece.length);
      data.set(this.rest);
      data.set(piece, this.rest.length);
    }
    let at = 0;
    while (data.length - at >= 12) {
      const view = new DataView(data.buffer, data.byteOffset + at, data.length - at);
      const isSection = view.getUint32(0, true) === 0x0a0d0d0a;
      if (isSection) this.isLittle = view.getUint32(8, true) === 0x1a2b3c4d;
      const length = view.getUint32(4, this.isLittle);
      if (length < 12 || length % 4 || length > 1 << 24) throw new Error('the stream is damaged');
      if (data.length - at < length) break;
      yield { type: view.getUint32(0, this.isLittle), bytes: data.subarray(at, at + length), isLittle: this.isLittle };
      at += length;
    }
    this.rest = data.slice(at);
  }
}

/** Reads TCP packets over IPv4 or IPv6, raw or in Ethernet frames. */
class PacketReader {
  blocks = new BlockReader();
  interfaces = [];

  /** `kept` is called with each block before its packet is yielded. */
  constructor(kept) { this.kept = kept; }

  *take(piece) {
    for (const block of this.blocks.take(piece)) {
      this.kept(block);
      const view = new DataView(block.bytes.buffer, block.bytes.byteOffset, block.bytes.length);
      const le = block.isLittle;
      if (block.type === 0x0a0d0d0a) this.interfaces = [];
      else if (block.type === 1 && view.byteLength >= 20) this.interfaces.push(this.interface(view, le));
      else if (block.type === 6 && view.byteLength >= 32) {
        const packet = this.packet(view, block.bytes, le);
        if (packet) yield packet;
      }
    }
  }

  *options(view, at, le) {
    const end = view.byteLength - 4;
    while (at + 4 <= end) {
      const code = view.getUint16(at, le), length = view.getUint16(at + 2, le);
      if (code === 0 || at + 4 + length > end) return;
      yield { code, at: at + 4, length };
      at += 4 + (length + 3 & ~3);
    }
  }

  interface(view, le) {
    let perSecond = 1e6;
    for (const option of this.options(view, 16, le)) {
      if (option.code !== 9 || !option.length) continue;
      const value = view.getUint8(option.at);
      perSecond = value & 0x80 ? 2 ** (value & 0x7f) : 10 ** value;
    }
    return { link: view.getUint16(8, le), perSecond };
  }

  packet(view, data, le) {
    const face = this.interfaces[view.getUint32(8, le)];
    const length = view.getUint32(20, le);
    if (!face || 28 + length > view.byteLength - 4) return null;
    const ticks = view.getUint32(12, le) * 2 ** 32 + view.getUint32(16, le);
    const packet = { time: ticks / face.perSecond * 1000, inbound: null, comments: [], dropped: 0 };
    for (const option of this.options(view, 28 + (length + 3 & ~3), le)) {
      if (option.code === 1) packet.comments.push(new TextDecoder().decode(data.subarray(option.at, option.at + option.length)));
      else if (option.code === 2 && option.length === 4) packet.inbound = { 1: true, 2: false }[view.getUint32(option.at, le) & 3] ?? null;
      else if (option.code === 4 && option.length === 8) packet.dropped = Number(view.getBigUint64(option.at, le));
    }
    return this.tcp(packet, data.subarray(28, 28 + length), face.link);
  }

  tcp(packet, data, link) {
    if (link === 1) data = data.subarray(14);
    const version = data[0] >> 4;
    let header, total, hosts;
    if (version === 4 && data.length >= 20 && data[9] === 6) {
      header = (data[0] & 15) * 4;
      total = (data[2] << 8 | data[3]) || data.length;
      hosts = [12, 16].map(at => data.subarray(at, at + 4).join('.'));
    } else if (version === 6 && data.length >= 40 && data[6] === 6) {
      header = 40;
      total = 40 + ((data[4] << 8 | data[5]) || data.length - 40);
      hosts = [8, 24].map(at => ipv6Text(data.subarray(at, at + 16)));
    } else return null;
    const segment = data.subarray(header, Math.min(total, data.length));
    if (segment.length < 20) return null;
    const ports = [segment[0] << 8 | segment[1], segment[2] << 8 | segment[3]];
    [packet.from, packet.to] = hosts.map((host, at) => `${host}:${ports[at]}`);
    packet.flags = segment[13];
    packet.data = segment.subarray((segment[12] >> 4) * 4);
    return packet;
  }
}

/** An IPv6 address in RFC 5952 form, in brackets. */
function ipv6Text(data) {
  const words = Array.from({ length: 8 }, (_, at) => (data[2 * at] << 8 | data[2 * at + 1]).toString(16));
  const text = words.join(':'), zeros = [...text.matchAll(/\b0(:0)+\b/g)].sort((a, b) => b[0].length - a[0].length)[0];
  if (!zeros) return `[${text}]`;
  return `[${(text.slice(0, zeros.index) + '::' + text.slice(zeros.index + zeros[0].length)).replace(/:{3,}/, '::')}]`;
}
