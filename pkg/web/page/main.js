// SPDX-License-Identifier: Apache-2.0
// The frame: who is here, which screen, the search box, the time, the keys.

import {h, put, icon, button, iconButton, toast} from './dom.js';
import {get, ask, loadMe, me, may} from './api.js';
import {t, language} from './i18n.js';
import {route, go, change, kept, ranges, rangeName, span, settings, refreshes, refreshOf, refreshName} from './state.js';
import {login, setup} from './login.js';
import {overview} from './overview.js';
import {events} from './events.js';
import {rules} from './rules.js';
import {outputs} from './outputs.js';
import {sensors} from './sensors.js';
import {settingsScreen} from './settings.js';

const screens = {overview, events, rules, outputs, sensors, settings: settingsScreen};
const names = {overview: 'Overview', events: 'Events', rules: 'Rules', outputs: 'Outputs', sensors: 'Sensors', settings: 'Settings'};
const app = document.getElementById('app');
let shown = null; // the screen that is up: {name, update, close, keys}
let frame = null;

document.documentElement.lang = language();
addEventListener('hashchange', show);
addEventListener('falco:login', () => { if (!me.loopback) { shown?.close?.(); shown = null; frame = null; login(app, start); } });
addEventListener('keydown', keys);
start();

async function start() {
  try {
    await loadMe();
  } catch (err) {
    put(app, h('div', {class: 'center'}, h('div', {class: 'empty'}, h('h2', {}, t('The server does not answer')), h('p', {}, err.message), button(t('Try again'), null, start))));
    return;
  }
  frame = null;
  show();
}

function show() {
  const {screen, rest, params} = route();
  if (screen === 'setup' && rest[0]) { shown?.close?.(); shown = frame = null; setup(app, rest[0], () => { go('overview'); start(); }); return; }
  if (!may('read')) { shown?.close?.(); shown = frame = null; login(app, start, rest[0]); return; }
  if (!frame) build();
  const name = screens[screen] ? screen : 'overview';
  if (shown?.name !== name) {
    shown?.close?.();
    frame.main.replaceChildren();
    shown = {name, ...screens[name](frame.main)};
    frame.main.scrollTop = 0;
  }
  paint(name, params);
  shown.update(params, rest);
}

function build() {
  const find = searchBox();
  const time = h('div', {class: 'poprel'}), often = h('div', {class: 'poprel'});
  const nav = h('nav', {'aria-label': t('Screens')});
  const main = h('main', {id: 'main', tabindex: '-1'});
  const banner = h('div', {});
  frame = {find, time, often, nav, main, banner};
  put(app,
    h('a', {class: 'skip', href: '#', onclick: e => { e.preventDefault(); main.focus(); }}, t('Skip to content')),
    h('div', {class: 'frame'},
      h('div', {class: 'side', role: 'complementary', 'aria-label': 'Falco'},
        h('a', {class: 'brand', href: '#/overview'}, h('img', {src: new URL('icon.svg', import.meta.url).pathname, alt: ''}), h('span', {}, 'Falco')),
        nav,
        h('div', {class: 'foot'},
          h('div', {class: 'who'}, icon('user'), h('span', {class: 't cut'}, me.user || t('no log-in')),
            me.via === 'session' && iconButton(t('Log out'), 'logout', logout)))),
      h('div', {class: 'top', role: 'search'}, find.el, time, often, iconButton(t('Keys'), 'rows', help, {class: 'btn ghost hide-small'})),
      h('div', {class: 'mainbox'}, banner, main)));
  watchStatus();
}

function paint(name, params) {
  document.title = t(names[name]) + ' · Falco';
  put(frame.nav, Object.keys(names).map(n => h('a', {href: '#/' + n + (String(kept(params)) ? '?' + kept(params) : ''), 'aria-current': n === name ? 'page' : null, title: t(names[n])},
    icon(n), h('span', {}, t(names[n])), n === 'outputs' && frame.failing ? h('span', {class: 'n'}, frame.failing) : null)));
  frame.find.set(params);
  const label = rangeName(params);
  put(frame.time, h('button', {type: 'button', class: 'btn', 'aria-haspopup': 'true', 'aria-expanded': 'false', onclick: e => openTime(e.currentTarget)}, icon('clock'), h('span', {}, label), icon('down')));
  const r = refreshOf(params);
  put(frame.often, h('button', {type: 'button', class: 'btn often' + (r === 'live' ? ' on' : ''), 'aria-haspopup': 'true', 'aria-expanded': 'false', 'aria-label': t('Refresh') + ': ' + refreshName(r), title: t('Refresh'), disabled: !!params.get('to') || name === 'settings',
    onclick: e => openRefresh(e.currentTarget)}, icon('refresh'), h('span', {}, refreshName(r)), icon('down')));
}

function searchBox() {
  const input = h('input', {type: 'text', name: 'q', autocomplete: 'off', spellcheck: 'false', 'aria-label': t('Search'),
    placeholder: t('Search: words, "phrases", rule:Terminal*, priority>=error, -host:node-1'),
    onkeydown: e => { if (e.key === 'Escape') input.blur(); }});
  const hint = h('span', {class: 'kbd hint', 'aria-hidden': 'true'}, '/');
  const clear = iconButton(t('Clear'), 'close', () => { input.value = ''; submit(); });
  const el = h('form', {class: 'find', onsubmit: e => { e.preventDefault(); submit(); }}, icon('search'), input, hint, clear);
  const submit = () => {
    error('');
    const {screen, params} = route();
    const q = input.value.trim();
    if (q) params.set('q', q); else params.delete('q');
    params.delete('sel');
    go(screen === 'overview' || screen === 'events' ? screen : 'events', params);
  };
  const error = text => {
    el.querySelector('.error')?.remove();
    input.setAttribute('aria-invalid', text ? 'true' : 'false');
    if (text) el.append(h('div', {class: 'error', role: 'alert'}, text));
  };
  input.addEventListener('input', () => { clear.hidden = !input.value; hint.hidden = !!input.value; });
  return {el, input, error, set: params => {
    if (document.activeElement !== input || !input.value) input.value = params.get('q') || '';
    clear.hidden = !input.value;
    hint.hidden = !!input.value;
    error('');
  }};
}

// failed shows what is wrong with a query at the box in which it was written.
addEventListener('falco:query', e => {
  const {message, position} = e.detail;
  frame?.find.error(position === undefined ? message : t('at {n}: {what}', {n: position + 1, what: message}));
});

function openTime(at) {
  const {params} = route();
  const [from, to] = span(params);
  const local = ms => { const d = new Date(ms - new Date(ms).getTimezoneOffset() * 6e4); return d.toISOString().slice(0, 19); };
  const choose = edit => { change(p => { ['since', 'from', 'to'].forEach(k => p.delete(k)); edit(p); p.delete('sel'); }); close(); };
  const a = h('input', {class: 'input', type: 'datetime-local', step: '1', value: local(from), 'aria-label': t('From')});
  const b = h('input', {class: 'input', type: 'datetime-local', step: '1', value: local(to), 'aria-label': t('To')});
  const pop = h('div', {class: 'pop', role: 'dialog', 'aria-label': t('Time')},
    h('div', {class: 'matrix'}, ranges.map(r => h('button', {type: 'button', class: 'chip' + (params.get('since') === r ? ' on' : ''), onclick: () => choose(p => p.set('since', r))}, r.replace(/^(\d+)(\w+)$/, (_, n, u) => n + ' ' + t(u))))),
    h('form', {class: 'field', onsubmit: e => { e.preventDefault(); const f = Date.parse(a.value), u = Date.parse(b.value); if (f < u) choose(p => { p.set('from', f); p.set('to', u); }); else toast(t('From lies behind to'), true); }},
      h('span', {}, t('From')), a, h('span', {}, t('To')), b, h('button', {class: 'btn primary', type: 'submit'}, t('Apply'))));
  const close = popup(at, pop, frame.time);
}

// openRefresh offers how often the screen is read again.
function openRefresh(at) {
  const now = refreshOf(route().params);
  const choose = r => { change(p => { p.delete('live'); if (r === 'live') p.delete('refresh'); else p.set('refresh', r); }, true); close(); };
  const pop = h('div', {class: 'pop', role: 'dialog', 'aria-label': t('Refresh')},
    h('div', {class: 'list2'}, refreshes.map(r => h('button', {type: 'button', class: 'chip' + (r === now ? ' on' : ''), 'aria-pressed': String(r === now), onclick: () => choose(r)}, refreshName(r)))),
    button(t('Refresh now'), 'refresh', () => { close(); shown?.again?.(); }));
  const close = popup(at, pop, frame.often);
}

// popup shows pop until something else is pressed, and returns what closes it. A
// button that has one open closes it.
function popup(at, pop, into) {
  const close = () => { pop.remove(); at.setAttribute('aria-expanded', 'false'); removeEventListener('pointerdown', out, true); (at.isConnected ? at : into.querySelector('button'))?.focus(); };
  const out = e => { if (!pop.contains(e.target) && !at.contains(e.target)) close(); };
  if (at.getAttribute('aria-expanded') === 'true') { into.querySelector('.pop')?.dispatchEvent(new KeyboardEvent('keydown', {key: 'Escape'})); return () => {}; }
  at.setAttribute('aria-expanded', 'true');
  addEventListener('pointerdown', out, true);
  pop.addEventListener('keydown', e => { if (e.key === 'Escape') { e.stopPropagation(); close(); } });
  into.append(pop);
  pop.querySelector('button').focus();
  return close;
}

async function logout() {
  try { await ask('POST', 'api/v2/logout'); } catch { /* it is gone all the same */ }
  start();
}

// watchStatus keeps the banner and the number of failing outputs true.
async function watchStatus() {
  const mine = frame;
  while (frame === mine) {
    try {
      const [status, out] = await Promise.all([get('status'), get('outputs')]);
      mine.failing = out.items.filter(o => o.state === 'failing').length;
      const text = status.trouble === 'disk_full' ? t('The disk of the store is full: new events wait at the forwarder.') : '';
      put(mine.banner, text && h('div', {class: 'banner', role: 'alert'}, icon('warn'), text));
    } catch { /* the screens say so themselves */ }
    await new Promise(done => setTimeout(done, 15000));
  }
}

function keys(e) {
  if (e.ctrlKey || e.metaKey || e.altKey || !frame || document.querySelector('dialog[open]')) return;
  const typing = /^(INPUT|TEXTAREA|SELECT)$/.test(document.activeElement?.tagName) && document.activeElement.type !== 'checkbox';
  if (typing) return;
  if (e.key === '/') { e.preventDefault(); frame.find.input.focus(); frame.find.input.select(); return; }
  if (e.key === '?') { help(); return; }
  if (keys.g && Date.now() - keys.g < 1200) {
    keys.g = 0;
    const to = {o: 'overview', e: 'events', r: 'rules', u: 'outputs', n: 'sensors', s: 'settings'}[e.key];
    if (to) { go(to, kept(route().params)); e.preventDefault(); return; }
  }
  if (e.key === 'g') { keys.g = Date.now(); return; }
  if (e.key === 'r') { shown?.again?.(); return; }
  if (e.key === 't') { const now = settings.get('theme', 'auto'); setTheme(now === 'dark' ? 'light' : 'dark'); return; }
  shown?.keys?.(e);
}

export function setTheme(theme) {
  settings.set('theme', theme);
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  show();
}
addEventListener('falco:theme', e => setTheme(e.detail));
addEventListener('falco:language', () => { shown?.close?.(); shown = frame = null; document.documentElement.lang = language(); show(); });

function help() {
  const rows = [['/', 'search'], ['j k', 'next and previous event'], ['Enter', 'open the event'], ['x', 'choose the event'], ['a', 'acknowledge what is chosen'], ['l', 'live on or off'], ['r', 'read again'],
    ['g o', 'overview'], ['g e', 'events'], ['g r', 'rules'], ['g u', 'outputs'], ['g n', 'sensors'], ['g s', 'settings'], ['t', 'light or dark'], ['Esc', 'close'], ['?', 'this']];
  const box = h('dialog', {'aria-label': t('Keys')}, h('div', {class: 'row'}, h('h1', {class: 'grow'}, t('Keys')), iconButton(t('Close'), 'close', () => box.close())),
    h('div', {class: 'keys'}, rows.map(([key, what]) => [h('span', {}, key.split(' ').map(k => [h('span', {class: 'kbd'}, k), ' '])), h('span', {}, t(what))])));
  box.addEventListener('close', () => box.remove());
  document.body.append(box);
  box.showModal();
}

