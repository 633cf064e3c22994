// ---- A graph of two rates to one scale: up above the axis, down below

class Graph {
  static span = 120000;

  constructor(label) {
    this.up = draw('path', { class: 'u' });
    this.down = draw('path', { class: 'd' });
    this.label = label;
    this.picture = draw('svg', { viewBox: '0 0 120 60', preserveAspectRatio: 'none', role: 'img', 'aria-label': label },
      ...[30, 60, 90].map(x => draw('path', { class: 'grid', d: `M${x} 0V60` })),
      this.down, this.up, draw('path', { class: 'axis', d: 'M0 30H120' }));
    this.scale = h('span', { class: 'scale', 'aria-hidden': 'true' });
    this.spot = h('span', { class: 'spot', 'aria-hidden': 'true' });
    this.root = h('div', {
      class: 'plot',
      pointermove: event => { this.x = event.offsetX / this.root.clientWidth; this.point(); },
      pointerleave: () => { this.x = null; this.point(); },
    }, this.picture, this.scale, this.spot);
    this.samples = [];
  }

  /** The next round number: 1, 2 or 5 times a power of ten, in a binary unit. */
  static round(value) {
    let unit = 1;
    while (value > 1000 * unit) unit *= 1024;
    for (const step of [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000]) if (value <= step * unit) return step * unit;
    return value;
  }

  show(samples) {
    this.samples = samples;
    const end = samples.length ? samples[samples.length - 1].t : 0;
    let most = 0;
    for (const { up, down } of samples) most = Math.max(most, up, down);
    const top = Graph.round(Math.max(most, 1024));
    for (const [path, key, sign] of [[this.up, 'up', -1], [this.down, 'down', 1]]) {
      let line = '', last = null;
      for (const point of samples) {
        const x = (120 - (end - point.t) * 120 / Graph.span).toFixed(1);
        const y = (30 + sign * 27 * point[key] / top).toFixed(1);
        if (last && point.t - last.t > 5000) { line += `V30`; last = null; }
        line += last ? `L${x} ${y}` : `M${x} 30V${y}`;
        last = point;
      }
      mark(path, 'd', line ? line + 'V30' : 'M0 30');
    }
    setText(this.scale, most ? `± ${rate(top).replace(/\.0+(?=\D)/, '')}` : '');
    this.point();
  }

  /** Shows the sample under the pointer. */
  point() {
    if (this.x == null || !this.samples.length) return setText(this.spot, '2 min');
    const end = this.samples[this.samples.length - 1].t, wanted = end - (1 - this.x) * Graph.span;
    const near = this.samples.reduce((best, next) => Math.abs(next.t - wanted) < Math.abs(best.t - wanted) ? next : best);
    setText(this.spot, `${elapsed(end - near.t)} ago: ↑ ${rate(near.up)}  ↓ ${rate(near.down)}`);
  }
}
