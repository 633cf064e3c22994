function openOne(id) {
  one?.wire.stop();
  chosen = id;
  $('one').hidden = false;
  document.body.classList.add('reading');
  one = new One(id);
  one.run();
  coverage();
  one.title.focus({ preventScroll: true });
  requestAnimationFrame(() => tables[view].rows.get(id)?.scrollIntoView({ block: 'nearest' }));
  for (const table of Object.values(tables)) for (const row of table.rows.values()) mark(row, 'class', table.classOf(row, row.classList.contains('gone') ? 'gone' : ''));
}

function closeOne() {
  if (!one) return;
  one.wire.stop();
  const { id } = one;
  one = chosen = null;
  $('one').hidden = true;
  $('one').replaceChildren();
  document.body.classList.remove('reading');
  coverage();
  for (const table of Object.values(tables)) for (const row of table.rows.values()) mark(row, 'class', table.classOf(row, row.classList.contains('gone') ? 'gone' : ''));
  const row = tables[view].rows.get(id);
  if (row?.isConnected) { tables[view].rove(row); row.focus({ preventScroll: true }); } else $(`tab-${view}`).focus({ preventScroll: true });
}

/** Makes what the drawer covers unreachable for the keyboard too. */
const wide = matchMedia('(min-width: 1100px)');
function coverage() {
  const isCovered = !!one && !wide.matches;
  for (const element of [$('top'), $('main')]) element.inert = isCovered;
}
wide.addEventListener('change', coverage);
