// ---- The server

let token = null, asking = null;

class Refusal extends Error {
  constructor(status, body) {
    super(body?.error?.message || `The server answered ${status}.`);
    this.status = status;
    this.body = body;
  }
}

async function send(path, options = {}) {
  for (;;) {
    const used = token;
    const response = await fetch(path, {
      ...options, cache: 'no-store', credentials: 'omit', redirect: 'error',
      headers: used == null ? {} : { Authorization: `Bearer ${used}` },
    });
    if (response.status !== 401) return response;
    response.body?.cancel();
    if (used === token) await askToken(used != null);
  }
}

async function api(path, method = 'GET', limit = 10000) {
  const response = await send(path, { method, signal: AbortSignal.timeout(limit) });
  const body = await response.json().catch(() => null);
  if (!response.ok) throw new Refusal(response.status, body);
  return body;
}

/** Asks for the token. Concurrent callers share one dialog. */
function askToken(wasWrong) {
  if (asking) return asking;
  const dialog = $('token'), form = dialog.querySelector('form');
  setText($('wrong'), wasWrong ? 'Wrong token.' : '');
  $('word').value = '';
  asking = new Promise(resolve => {
    form.onsubmit = event => {
      event.preventDefault();
      // A header field allows no other characters; fetch would throw an obscure error.
      if (!/^[\x21-\x7e]+$/.test($('word').value)) return setText($('wrong'), 'A token has no spaces and only ASCII characters.');
      token = $('word').value;
      $('word').value = '';
      dialog.close();
      asking = null;
      resolve();
    };
    dialog.oncancel = event => event.preventDefault();
    if (!dialog.open) dialog.showModal();
  });
  return asking;
}
