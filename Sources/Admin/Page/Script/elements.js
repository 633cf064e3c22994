// ---- Elements. Text is inserted as text nodes only: nothing here parses a string as markup.

const $ = id => document.getElementById(id);

/** Creates an element; functions become listeners, other values attributes. */
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (typeof value === 'function') element.addEventListener(key, value);
    else if (value === true) element.setAttribute(key, '');
    else if (value !== false && value != null) element.setAttribute(key, value);
  }
  element.append(...children.flat(Infinity).filter(child => child != null && child !== false));
  return element;
}

/** Creates an SVG element. */
function draw(tag, attributes, ...children) {
  const element = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.append(...children);
  return element;
}

/** Sets text that differs: unchanged text does not flicker and keeps its selection. */
function setText(element, text) {
  text = String(text);
  if (element.textContent !== text) element.textContent = text;
}
/** Sets a sentence of a story. */
function say(element, text) {
  if (element.dataset.said === text) return;
  element.dataset.said = text;
  element.replaceChildren(...phrases(text));
}
/**
 * A sentence in parts: `code` in an element of its own, times in the browser's zone. A clock and a short code are never
 * broken, nor is a number before its unit.
 */
function phrases(text) {
  const parts = /`([^`]*)`|(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z)|\d[\d.,]* (?:[KMGT]i)?(?:ms|s|min|h|d|B|bytes?)\b/g;
  const nodes = [];
  let end = 0;
  for (const found of text.matchAll(parts)) {
    const [all, code, time] = found;
    const [, date, rest] = time ? /^(\S+ )(.*)$/.exec(localTime(time)) : [all, '', all];
    const part = code != null ? h('code', { class: code.length < 40 && 'unbroken' }, code) : h('span', { class: 'unbroken' }, rest);
    nodes.push(text.slice(end, found.index) + date, part);
    end = found.index + all.length;
  }
  return [...nodes, text.slice(end)];
}
/** A path that is broken after a slash, if it has to be. */
const pathParts = text => text.split(/(?<=\/)/).flatMap((part, at) => at ? [h('wbr'), part] : [part]);
function mark(element, name, value) {
  if (value == null || value === false) { if (element.hasAttribute(name)) element.removeAttribute(name); }
  else if (element.getAttribute(name) !== String(value)) element.setAttribute(name, value);
}
