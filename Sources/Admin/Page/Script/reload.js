// ---- Reload

let shownReload = null, reloading = false;

async function reload() {
  const button = $('reload');
  button.disabled = reloading = true;
  try {
    const response = await send('/v1/reload', { method: 'POST', signal: AbortSignal.timeout(60000) });
    const body = await response.json().catch(() => null);
    if (response.ok) showReload({ ...body, problems: [] }, true);
    else if (response.status === 422) {
      showReload({ result: 'rejected', summary: 'Rejected; nothing changed.', problems: body.error.problems || [], message: body.error.message, difference: null }, true);
    } else throw new Refusal(response.status, body);
  } catch (error) {
    notify(`Reload: ${error.message}`, true);
  }
  button.disabled = reloading = false;
  refreshSoon();
}

const setting = ({ key, old, new: fresh, content }) => content ? `${key}: ${content}` : `${key}: ${old ?? 'none'} → ${fresh ?? 'none'}`;

/** The difference as lines, each with its CSS class. */
function differences(difference) {
  if (!difference) return [];
  const { added, removed, renamed, changed, listeners, settings, needs_restart: later } = difference;
  return [
    ...added.map(name => ['add', `relay ${name}`]), ...removed.map(name => ['del', `relay ${name}; its open connections may finish`]),
    ...renamed.map(({ old, new: fresh }) => ['chg', `relay ${old} is now ${fresh}`]),
    ...changed.flatMap(({ relay, settings }) => settings.map(one => ['chg', `${relay}: ${setting(one)}`])),
    ...listeners.added.map(({ address, relay }) => ['add', `listens on ${address} (${relay})`]),
    ...listeners.removed.map(({ address, relay }) => ['del', `no longer listens on ${address} (${relay})`]),
    ...listeners.moved.map(({ address, from, to }) => ['chg', `${address} moved from ${from} to ${to}`]),
    ...settings.map(one => ['chg', setting(one)]), ...later.map(one => ['', `needs a restart: ${setting(one)}`]),
  ];
}

function showReload(answer, isOurs) {
  shownReload = answer;
  const isBad = answer.result === 'rejected', box = $('reloaded');
  const title = isBad ? 'Reload rejected; the old configuration stays active' : answer.result === 'unchanged' ? 'Reload: nothing changed'
    : `Reloaded: generation ${answer.generation} is active`;
  const lines = isBad
    ? answer.problems.map(problem => ['err', `${problem.path}${problem.line == null ? '' : `:${problem.line}${problem.column == null ? '' : `:${problem.column}`}`}: ${problem.message}`])
    : differences(answer.difference);
  if (isBad && !lines.length) lines.push(['err', answer.message || answer.summary]);
  box.className = isBad ? 'bad' : 'good';
  box.replaceChildren(
    h('header', {}, h('h2', { tabindex: -1 }, title), answer.time && h('span', { class: 'dim', title: absolute(answer.time) }, `${ago(answer.time)}, by ${{ signal: 'SIGHUP', file: 'a changed file', api: 'the API' }[answer.source] || answer.source}`),
      h('button', { class: 'quiet icon', 'aria-label': 'Close', click: hideReload }, '✕')),
    ...(lines.length ? [] : [h('p', { class: 'dim' }, answer.summary)]),
    h('ul', {}, lines.map(([kind, line]) => h('li', { class: kind }, phrases(line)))));
  box.hidden = false;
  if (isOurs) { notify(title); box.scrollIntoView({ block: 'nearest' }); }
}

function hideReload() {
  $('reloaded').hidden = true;
  $('reload').focus({ preventScroll: true });
}
