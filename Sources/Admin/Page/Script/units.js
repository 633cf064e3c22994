// ---- Numbers and times in readable form

const thin = '\u202f';

function bytes(count) {
  if (count == null) return '–';
  if (count < 1000) return `${count}${thin}B`;
  const units = ['KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0, value = count / 1024;
  while (value >= 999.5 && unit < units.length - 1) { value /= 1024; unit++; }
  return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)}${thin}${units[unit]}`;
}
const rate = count => `${bytes(count)}/s`;
const whole = count => count == null ? '–' : count.toLocaleString('en');
const exact = count => plural(count, 'byte');

function duration(ms) {
  if (ms == null) return '–';
  if (ms < 1) return `<1${thin}ms`;
  if (ms < 1000) return `${ms}${thin}ms`;
  const s = ms / 1000;
  if (s < 9.95) return `${s.toFixed(1)}${thin}s`;
  if (s < 60) return `${Math.floor(s)}${thin}s`;
  const parts = [[Math.floor(s / 86400), 'd'], [Math.floor(s / 3600) % 24, 'h'], [Math.floor(s / 60) % 60, 'min'], [Math.floor(s) % 60, 's']];
  const first = parts.findIndex(part => part[0] > 0);
  return parts.slice(first, first + 2).filter((part, at) => at === 0 || part[0] > 0).map(part => part[0] + thin + part[1]).join(' ');
}
/** A duration that is shown while it runs: whole seconds, without changing decimals. */
const elapsed = ms => ms == null ? '–' : ms < 1000 ? `0${thin}s` : ms < 9950 ? `${Math.floor(ms / 1000)}${thin}s` : duration(ms);

/** The duration's largest unit only. */
const largestUnit = ms => elapsed(ms).split(' ')[0];

let skew = 0;   // the server's clock minus the browser's
const now = () => Date.now() + skew;
function ago(time) {
  const ms = now() - Date.parse(time);
  return ms < 1500 ? 'now' : `${elapsed(ms)} ago`;
}
const two = number => String(number).padStart(2, '0');
/** `UTC`, `UTC+1`, `UTC−3:30`: the browser's zone at a time. */
function zone(time) {
  const east = -new Date(time).getTimezoneOffset(), minutes = Math.abs(east) % 60;
  return 'UTC' + (east ? `${east < 0 ? '−' : '+'}${Math.floor(Math.abs(east) / 60)}${minutes ? `:${two(minutes)}` : ''}` : '');
}
/** `21:15:00.123` in the browser's zone. */
function clock(time) {
  const date = new Date(time);
  return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${String(date.getMilliseconds()).padStart(3, '0')}`;
}
/** `2026-11-22 21:15:00.123 UTC+1` in the browser's zone. */
function localTime(time) {
  const date = new Date(time);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())} ${clock(time)} ${zone(time)}`;
}
const absolute = time => time ? localTime(time) : '';
const plural = (count, one, many) => `${whole(count)} ${count === 1 ? one : many || one + 's'}`;
