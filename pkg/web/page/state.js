// SPDX-License-Identifier: Apache-2.0
// What is shown is in the address: #/events?since=24h&q=…  The parameters are those
// of the API, beside some that say how it looks.

import {t} from './i18n.js';

const looks = ['sel', 'split', 'cols', 'dense', 'grouped', 'live', 'refresh', 'sort'];

export function route() {
  const [path, query] = location.hash.replace(/^#\/?/, '').split('?');
  const [screen, ...rest] = path.split('/');
  return {screen: screen || 'overview', rest: rest.map(decodeURIComponent), params: new URLSearchParams(query || '')};
}

export function go(screen, params, replace) {
  const text = String(params || '');
  const hash = '#/' + screen + (text ? '?' + text : '');
  if (hash === location.hash) return;
  if (replace) {
    history.replaceState(null, '', location.pathname + location.search + hash);
    dispatchEvent(new HashChangeEvent('hashchange'));
  } else location.hash = hash;
}

// change edits the parameters of this screen.
export function change(edit, replace) {
  const {screen, rest, params} = route();
  edit(params);
  go([screen, ...rest].join('/'), params, replace);
}

// filters returns what the API is asked: the time and everything that chooses events.
export function filters(params) {
  const out = new URLSearchParams();
  for (const [key, value] of params) if (!looks.includes(key) && value !== '') out.append(key, value);
  if (!out.has('since') && !out.has('from')) out.set('since', '24h');
  return out;
}

// kept returns the parameters that go along from screen to screen.
export function kept(params) {
  const out = new URLSearchParams();
  for (const [key, value] of params) if (key === 'since' || key === 'from' || key === 'to' || key === 'refresh') out.append(key, value);
  return out;
}

// refreshes are how often a screen is read again. live is as it comes, or as often as
// the screen finds it fit; a time that has an end is not read again.
export const refreshes = ['live', 'off', '10s', '30s', '1m', '5m'];

export const refreshOf = params => params.get('to') || params.get('live') === '0' ? 'off' : refreshes.includes(params.get('refresh')) ? params.get('refresh') : 'live';

export const refreshName = r => r === 'live' ? t('Live') : r === 'off' ? t('Off') : r.replace(/^(\d+)(\w+)$/, (_, n, u) => n + ' ' + t(u));

// Again calls a function as often as the address says, or each fit milliseconds; not
// while nobody looks.
export class Again {
  constructor(call, fit) {
    this.call = call;
    this.fit = fit;
  }

  set(params) {
    this.stop();
    const r = refreshOf(params), ms = r === 'live' ? this.fit : r === 'off' ? 0 : millis(r);
    if (ms) this.timer = setInterval(() => { if (!document.hidden) this.call(); }, ms);
  }

  stop() { clearInterval(this.timer); }
}

// toggle adds a value to a filter, or takes it away.
export function toggle(name, value, not) {
  const key = (not ? 'not.' : '') + name;
  change(p => {
    const had = p.getAll(key);
    p.delete(key);
    const other = (not ? '' : 'not.') + name;
    const rest = p.getAll(other).filter(v => v !== value);
    p.delete(other);
    rest.forEach(v => p.append(other, v));
    had.filter(v => v !== value).forEach(v => p.append(key, v));
    if (!had.includes(value)) p.append(key, value);
    p.delete('sel');
  });
}

// span returns the time that is shown, in milliseconds.
export function span(params, now = Date.now()) {
  const since = params.get('since') || (params.get('from') ? '' : '24h');
  const at = v => /^\d+$/.test(v) ? +v : Date.parse(v);
  const to = params.get('to') ? at(params.get('to')) : now;
  return [since ? now - millis(since) : at(params.get('from')), to];
}

const units = {s: 1e3, m: 6e4, min: 6e4, h: 36e5, d: 864e5, w: 7 * 864e5, M: 30 * 864e5, y: 365 * 864e5};

export function millis(text) {
  const m = /^(\d+)(s|m|min|h|d|w|M|y)$/.exec(text);
  return m ? m[1] * units[m[2]] : 864e5;
}

export const ranges = ['5m', '15m', '1h', '6h', '24h', '7d', '30d', '90d', '1y'];

export function rangeName(params) {
  const since = params.get('since') || (params.get('from') ? '' : '24h');
  if (since) return t('Last') + ' ' + since.replace(/^(\d+)(\w+)$/, (_, n, u) => n + ' ' + t(u));
  const [from, to] = span(params);
  return stamp(from, 'short') + ' – ' + (params.get('to') ? stamp(to, 'short') : t('now'));
}

// Settings of this browser. None of them is a secret.
export const settings = {
  get(name, def) { try { return localStorage.getItem('falco.' + name) ?? def; } catch { return def; } },
  set(name, value) { try { localStorage.setItem('falco.' + name, value); } catch { /* for this visit then */ } },
};

export const zone = () => settings.get('zone', 'local') === 'utc' ? 'UTC' : Intl.DateTimeFormat().resolvedOptions().timeZone;

const forms = new Map();

function form(options) {
  const key = zone() + JSON.stringify(options);
  if (!forms.has(key)) forms.set(key, new Intl.DateTimeFormat('sv-SE', {timeZone: zone(), ...options}));
  return forms.get(key);
}

const date = {year: 'numeric', month: '2-digit', day: '2-digit'};
const clock = {hour: '2-digit', minute: '2-digit', second: '2-digit'};

// stamp writes a time, to the millisecond if nothing else is asked for.
export function stamp(at, kind) {
  const d = new Date(at);
  if (isNaN(d)) return '';
  if (kind === 'short') return form({month: '2-digit', day: '2-digit', hour: '2-digit', minute: '2-digit'}).format(d);
  if (kind === 'clock') return form({...clock, fractionalSecondDigits: 3}).format(d).replace(',', '.');
  if (kind === 'day') return form(date).format(d);
  return form({...date, ...clock, fractionalSecondDigits: 3}).format(d).replace(',', '.');
}

export function ago(ms) {
  const s = Math.max(0, Math.round((Date.now() - ms) / 1000));
  if (s < 60) return s + ' ' + t('s');
  if (s < 3600) return Math.round(s / 60) + ' ' + t('min');
  if (s < 172800) return Math.round(s / 3600) + ' ' + t('h');
  return Math.round(s / 86400) + ' ' + t('d');
}

export const count = n => n >= 1e6 ? (n / 1e6).toFixed(n < 1e7 ? 2 : 1) + ' M' : Math.round(n).toLocaleString('en').replaceAll(',', '\u202f');

export const nanos = n => n < 1000 ? Math.round(n) + ' ns' : (n / 1000).toFixed(n < 10000 ? 1 : 0) + ' µs';

export function bytes(n) {
  for (const unit of ['B', 'KiB', 'MiB', 'GiB']) {
    if (n < 1024 || unit === 'GiB') return (unit === 'B' ? n : n.toFixed(n < 10 ? 1 : 0)) + ' ' + unit;
    n /= 1024;
  }
  return '';
}

export const priorities = ['Emergency', 'Alert', 'Critical', 'Error', 'Warning', 'Notice', 'Informational', 'Debug'];
