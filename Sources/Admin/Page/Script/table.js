// ---- A table that stays still while it is used

/**
 * Rows by id. While the table is in use (focus, selection or a moving pointer), rows keep their positions: ended
 * connections are dimmed, and new ones are appended or held back.
 */
class Table {
  static most = 2000;

  constructor(root, { name, columns, sort, sorted, opened, kill, appends, isOver, empty }) {
    Object.assign(this, { root, name, columns, sort, sorted, opened, kill, appends, isOver, empty });
    this.rows = new Map();
    this.pointed = 0;
    this.heads = new Map();
    const head = h('tr', { role: 'row' }, columns.map(column => {
      const th = h('th', { role: 'columnheader', scope: 'col', 'data-at': column.at, class: column.class, title: column.title });
      if (column.label) {
        th.append(h('button', { click: () => this.turn(column) }, column.label));
        this.heads.set(column, th);
      } else th.append(h('span', { class: 'sr' }, 'Action'));
      return th;
    }));
    this.body = h('tbody', {
      role: 'rowgroup',
      pointermove: () => { this.pointed = Date.now(); }, pointerleave: () => { this.pointed = 0; },
      click: event => this.clicked(event), keydown: event => this.pressed(event),
      focusin: event => this.rove(event.target.closest('tr')),
    });
    const widths = h('colgroup', {}, columns.map(column => {
      const col = h('col', { 'data-at': column.at });
      if (column.width) col.style.width = column.width;
      return col;
    }));
    this.grid = h('table', { role: 'grid', 'aria-label': name }, widths, h('thead', { role: 'rowgroup' }, head), this.body);
    this.nothing = h('div', { class: 'empty', hidden: true });
    this.note = h('span', {});
    this.more = h('button', { class: 'quiet', hidden: true, click: () => { this.limit = Math.min(this.limit * 4, Table.most); this.sorted(); } });
    this.limit = 100;
    root.append(this.grid, this.nothing, h('div', { class: 'foot' }, this.note, this.more));
    this.arrows();
  }

  /** Sorts by a column; repeated, reverses the order. */
  turn(column) {
    const isSame = this.sort.by === column.by;
    this.sort = { by: column.by, isTurned: isSame && !this.sort.isTurned };
    this.arrows();
    this.sorted();
  }

  arrows() {
    for (const [column, th] of this.heads) {
      const isUp = !!column.isText !== this.sort.isTurned;
      mark(th, 'aria-sort', column.by === this.sort.by ? (isUp ? 'ascending' : 'descending') : null);
    }
  }

  get isHeld() {
    if (this.body.contains(document.activeElement) || Date.now() - this.pointed < 3000) return true;
    const selection = getSelection();
    return !selection.isCollapsed && this.body.contains(selection.anchorNode);
  }

  /** Shows these rows in this order. `total`: rows that exist. `force`: reorder although the table is in use. */
  show(list, total, force = false) {
    const shown = list.slice(0, this.limit);
    const isHeld = this.isHeld && !force;
    let order = shown, aside = 0;
    if (isHeld) {
      const now = new Map(shown.map(item => [item.id, item]));
      const there = new Set();
      order = [];
      for (const row of this.body.children) {
        const id = Number(row.dataset.id);
        there.add(id);
        const item = now.get(id);
        // A missing row may have ended, or be beyond the limit of the list.
        mark(row, 'class', this.classOf(row, !item && this.isOver?.(id) ? 'gone' : ''));
        if (item) this.fill(row, item);
      }
      const fresh = shown.filter(item => !there.has(item.id));
      // Bounds the table while it is in use.
      const room = this.appends ? Math.max(0, this.limit * 2 - there.size) : 0;
      for (const item of fresh.slice(0, room)) this.body.append(this.row(item));
      aside = Math.max(0, fresh.length - room);
    } else {
      const wanted = new Set(order.map(item => item.id));
      for (const [id, row] of this.rows) if (!wanted.has(id)) { row.remove(); this.rows.delete(id); }
      let at = this.body.firstChild;
      for (const item of order) {
        const row = this.row(item);
        mark(row, 'class', this.classOf(row, ''));
        if (row === at) at = at.nextSibling; else this.body.insertBefore(row, at);
      }
    }
    if (!this.body.querySelector('tr[tabindex="0"]')) this.rove(this.body.firstChild);
    const count = this.body.children.length;
    this.grid.hidden = count === 0;
    this.nothing.hidden = count > 0;
    if (count === 0) this.explain();
    const parts = [];
    if (total > count && count) parts.push(`${whole(count)} of ${whole(total)} shown`);
    if (aside) parts.push(`${whole(aside)} new, shown when you leave the table`);
    else if (isHeld && count > 1) parts.push('the order is kept while you use the table');
    setText(this.note, parts.join(' · '));
    this.more.hidden = !(list.length > this.limit || total > Math.max(count, this.limit)) || count === 0 || this.limit === Table.most;
    if (!this.more.hidden) setText(this.more, `Show ${whole(Math.min(total, this.limit * 4, Table.most))}`);
  }

  explain() {
    const [title, text] = this.empty();
    if (this.nothing.dataset.said === title + text) return;
    this.nothing.dataset.said = title + text;
    this.nothing.replaceChildren(h('b', {}, title), text);
  }

  classOf(row, more) {
    return [row.dataset.id === String(chosen) ? 'chosen' : '', more].filter(Boolean).join(' ') || null;
  }

  row(item) {
    let row = this.rows.get(item.id);
    if (!row) {
      row = h('tr', { role: 'row', tabindex: -1, 'data-id': item.id });
      for (const column of this.columns) {
        const cell = h('td', { role: 'gridcell', 'data-at': column.at, class: column.class });
        if (column.at === 'act') {
          cell.append(h('button', { class: 'kill', tabindex: -1, 'aria-label': `Kill connection ${item.id}`, title: 'Reset both sides (x)' }, 'Kill'));
        }
        row.append(cell);
      }
      this.rows.set(item.id, row);
    }
    this.fill(row, item);
    return row;
  }

  fill(row, item) {
    row.item = item;
    this.columns.forEach((column, at) => {
      if (!column.show) return;
      const [text, title, tone] = column.show(item), cell = row.children[at];
      setText(cell, text);
      mark(cell, 'title', title || null);
      mark(cell, 'class', [column.class, tone].filter(Boolean).join(' ') || null);
    });
  }

  /** Roving tab index: one row, and its button, can be reached with Tab. */
  rove(row) {
    if (!row || row.tabIndex === 0) return;
    for (const other of this.body.querySelectorAll('[tabindex="0"]')) other.tabIndex = -1;
    row.tabIndex = 0;
    const button = row.querySelector('.kill');
    if (button) button.tabIndex = 0;
  }

  move(step) {
    const from = document.activeElement?.closest?.('tr[data-id]');
    const current = from && this.body.contains(from) ? from : null;
    const chosenRow = this.rows.get(chosen);
    let next = current ? (step > 0 ? current.nextElementSibling : current.previousElementSibling)
      : chosenRow?.isConnected ? chosenRow : step > 0 ? this.body.firstElementChild : this.body.lastElementChild;
    if (!next) return;
    this.rove(next);
    next.focus();
  }

  clicked(event) {
    const row = event.target.closest('tr');
    if (!row) return;
    if (event.target.closest('.kill')) return this.kill(row.item);
    if (!getSelection().isCollapsed && this.body.contains(getSelection().anchorNode)) return;
    this.opened(row.item);
  }

  pressed(event) {
    const row = event.target.closest('tr');
    if (!row || event.target !== row || event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === 'Enter' || event.key === ' ') this.opened(row.item);
    else if (event.key === 'ArrowDown') this.move(1);
    else if (event.key === 'ArrowUp') this.move(-1);
    else if (event.key === 'Home') this.to(this.body.firstElementChild);
    else if (event.key === 'End') this.to(this.body.lastElementChild);
    else if (event.key === 'x' && this.kill) this.kill(row.item);
    else return;
    event.preventDefault();
    event.stopPropagation();
  }

  to(row) { this.rove(row); row?.focus(); }
}
