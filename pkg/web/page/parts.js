// SPDX-License-Identifier: Apache-2.0
// Small parts that several screens have.

import {h, icon, button, copy} from './dom.js';
import {t} from './i18n.js';
import {stamp} from './state.js';

export function priority(name) {
  const grave = ['Emergency', 'Alert', 'Critical'].includes(name), low = ['Informational', 'Debug'].includes(name);
  return h('span', {class: `pri p-${String(name).toLowerCase()}${grave ? ' grave' : low ? ' low' : ''}`}, h('i', {'aria-hidden': 'true'}), t(name));
}

export function code(text, wrap) {
  return h('div', {class: 'codebox'}, h('pre', {class: wrap ? 'wrap' : '', tabindex: '0'}, text), button('', 'copy', () => copy(text, t('Copied')), {class: 'btn small', 'aria-label': t('Copy'), title: t('Copy')}));
}

// teach is what an empty page says: how events get here.
export function teach() {
  const here = new URL('.', document.baseURI);
  return h('div', {class: 'card'}, h('div', {class: 'empty'}, icon('sensors'), h('h2', {}, t('No event has come yet')),
    h('p', {}, t('This page fills as soon as a forwarder or a daemon posts alerts here. Three ways to see it work:')),
    h('ol', {class: 'steps'},
      h('li', {}, h('b', {}, t('Send one by hand')), code(`curl -X POST ${here}api/v2/events -H 'Content-Type: application/json' -d '{"rule":"Test rule","priority":"Notice","time":"'$(date -u +%FT%TZ)'","output":"hello from curl","output_fields":{"proc.name":"curl"}}'`, true)),
      h('li', {}, h('b', {}, t('Let the daemon send its alerts to the forwarder (falco.yaml)')), code('json_output: true\njson_include_output_property: true\nhttp_output:\n  enabled: true\n  url: unix:///run/falco/sidekick.sock')),
      h('li', {}, h('b', {}, t('Set a rule off: read a file that nobody should')), code('sudo cat /etc/shadow > /dev/null')))));
}

export function problem(err, again) {
  return h('div', {class: 'empty', role: 'alert'}, icon('warn'), h('h2', {}, t('That did not work')), h('p', {}, err.message), again && button(t('Try again'), null, again));
}

// partly is what a partial answer among these has counted since, as the server writes it, true if it does not say, or null.
export function partly(...answers) {
  const since = answers.filter(a => a.partial).map(a => a.since);
  return since.length ? since.filter(x => typeof x === 'string' && x).sort().at(-1) || true : null;
}

export function partial(since) {
  if (!since) return null;
  return h('span', {class: 'state bad', title: t('The answer took longer than five seconds: what is older was not counted.')}, t('partial'), since === true ? '' : ' · ' + t('since') + ' ' + stamp(since, 'short'));
}

// latest makes of a function one of which only the newest call counts.
export function latest(work) {
  let turn = 0, stop;
  return async (...args) => {
    const mine = ++turn;
    stop?.abort();
    stop = new AbortController();
    try {
      return await work(() => mine === turn, stop.signal, ...args);
    } catch (err) {
      if (err.name !== 'AbortError' && mine === turn) throw err;
    }
  };
}

export const entries = object => Object.entries(object || {});
