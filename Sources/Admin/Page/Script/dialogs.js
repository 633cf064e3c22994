// ---- Notifications and confirmations

let toastTimer;
function notify(text, isBad = false) {
  const toast = $('toast');
  toast.className = isBad ? 'bad' : '';
  toast.replaceChildren(...pathParts(text));
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => setText(toast, ''), isBad ? 12000 : 5000);
}

/** Asks for confirmation of an irreversible action. */
function confirmed(title, lines, verb) {
  const dialog = $('ask');
  return new Promise(resolve => {
    dialog.onclose = () => resolve(dialog.returnValue === 'yes');
    dialog.returnValue = '';
    dialog.replaceChildren(
      h('h2', { id: 'ask-title' }, title), ...lines.map(line => h('p', {}, line)),
      h('div', { class: 'row' },
        h('button', { click: () => dialog.close(''), autofocus: true }, 'Cancel'),
        h('button', { class: 'danger', id: 'yes', click: () => dialog.close('yes') }, verb)));
    dialog.showModal();
  });
}
