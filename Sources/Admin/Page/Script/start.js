// ---- Theme, keyboard, controls, start

const dark = matchMedia('(prefers-color-scheme: dark)');
function theme(choice) {
  mark(document.documentElement, 'data-theme', choice);
  $('theme').title = `Light or dark (${choice || 'system setting'})`;
}
$('theme').onclick = () => {
  const isDark = (document.documentElement.dataset.theme || (dark.matches ? 'dark' : 'light')) === 'dark';
  const choice = isDark ? 'light' : 'dark', isSystem = choice === (dark.matches ? 'dark' : 'light');
  theme(isSystem ? null : choice);
  // Private windows may refuse storage; then the choice lasts as long as the tab.
  try { if (isSystem) localStorage.removeItem('theme'); else localStorage.setItem('theme', choice); } catch { }
};
try { theme(({ light: 'light', dark: 'dark' })[localStorage.getItem('theme')] || null); } catch { theme(null); }

const keys = [['/', 'filter'], ['j k', 'next and previous row'], ['Enter', 'open the row: story and traffic'], ['Esc', 'close, or clear the filter'],
  ['x', 'kill the row’s or the opened connection (asks first)'], ['w', 'watch the opened connection’s traffic, or stop'], ['p', 'pause the traffic view'],
  ['1 2', 'open, ended connections'], ['?', 'these keys']];
function help() {
  const dialog = $('keys');
  dialog.replaceChildren(h('h2', { id: 'keys-title' }, 'Keyboard'),
    h('dl', {}, keys.map(([key, text]) => [h('dt', {}, key.split(' ').map(one => [h('kbd', {}, one), ' '])), h('dd', {}, text)])),
    h('div', { class: 'row' }, h('button', { autofocus: true, click: () => dialog.close() }, 'Close')));
  dialog.showModal();
}

document.addEventListener('keydown', event => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || document.querySelector('dialog[open]')) return;
  const isTyping = event.target.matches('input, select, textarea');
  if (event.key === 'Escape') {
    if (isTyping && event.target === $('filter') && $('filter').value) { $('filter').value = ''; refilter(); }
    else if (one) closeOne();
    else if (document.activeElement !== document.body) document.activeElement.blur();
    return;
  }
  if (isTyping) {
    if (event.target === $('filter') && (event.key === 'ArrowDown' || event.key === 'Enter')) { event.preventDefault(); tables[view].move(1); }
    return;
  }
  const acts = {
    '/': () => $('filter').focus(), j: () => tables[view].move(1), k: () => tables[view].move(-1), '?': help,
    1: () => switchTo('open'), 2: () => switchTo('ended'),
    w: () => one && !one.wire.start.disabled && one.wire.toggle(), p: () => one?.wire.cut && one.wire.hold(),
    x: () => one?.facts && one.facts.state !== 'closed' && kill(one.facts),
  };
  const act = Object.hasOwn(acts, event.key) && acts[event.key];
  if (!act || ['/', 'j', 'k', '1', '2'].includes(event.key) && $('main').inert) return;
  event.preventDefault();
  act();
});

$('tab-open').onclick = () => switchTo('open');
$('tab-ended').onclick = () => switchTo('ended');
document.querySelector('[role=tablist]').addEventListener('keydown', event => {
  if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return;
  event.preventDefault();
  switchTo(view === 'open' ? 'ended' : 'open');
  $(`tab-${view}`).focus();
});
let typed;
$('filter').oninput = () => { clearTimeout(typed); typed = setTimeout(refilter, 120); };
$('of-relay').onchange = $('of-reason').onchange = refilter;
$('order').onchange = () => {
  const table = tables[view], column = table.columns.find(column => column.by === $('order').value);
  if (!column || column.by !== table.sort.by) return column && table.turn(column);
};
$('turn').onclick = () => { const table = tables[view]; table.turn(table.columns.find(column => column.by === table.sort.by)); };
$('reload').onclick = reload;
$('help').onclick = help;
$('show-reload').onclick = () => { showReload(status.last_reload, true); showStatus(); };
$('hint').append(...[...keys.slice(0, 4), ['?', 'more']].map(([key, text]) => h('span', {}, key.split(' ').map(one => [h('kbd', {}, one), ' ']), text)));

// The table's head stays below the header, whatever its height.
new ResizeObserver(() => document.documentElement.style.setProperty('--under', getComputedStyle($('top')).position === 'sticky' ? `${$('top').offsetHeight}px` : '0px')).observe($('top'));
// Elapsed times advance without events.
setInterval(() => { if (!document.hidden) schedulePaint(); }, 1000);
document.addEventListener('visibilitychange', () => { if (!document.hidden) { refreshTable(); schedulePaint(); } });

switchTo('open');
followServer();
watchConnections();
