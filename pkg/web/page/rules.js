// SPDX-License-Identifier: Apache-2.0
// Rules: which match, how often, which never do, and what they cost.

import {h, put, spark} from './dom.js';
import {get} from './api.js';
import {t} from './i18n.js';
import {priority, problem, partial, partly, latest} from './parts.js';
import {change, count, ago, nanos, ranges, Again} from './state.js';

export function rules(main) {
  const body = h('div', {}), filter = h('input', {class: 'input', placeholder: t('Filter rules'), 'aria-label': t('Filter rules'), oninput: () => draw()});
  const only = h('div', {class: 'seg', role: 'group', 'aria-label': t('Show')});
  const sum = h('span', {class: 'dim'});
  put(main, h('div', {class: 'pad'}, h('div', {class: 'row wrapped'}, h('h1', {}, t('Rules')), sum, h('span', {class: 'grow'}), only, filter), h('section', {class: 'card scrollx'}, body)));
  let got = null, show = 'all', order = 'count', params = new URLSearchParams();

  const load = latest(async (current, signal) => {
    const since = params.get('since') && ranges.includes(params.get('since')) ? params.get('since') : '24h';
    const answer = await get('rules', new URLSearchParams({since}), signal);
    if (current()) { got = answer; draw(); }
  });

  function draw() {
    if (!got) return;
    const never = got.items.filter(r => !r.count);
    put(sum, t('{n} rules, {m} of them silent in this time', {n: got.items.length, m: never.length}), ' ', partial(partly(got)));
    put(only, ['all', 'matched', 'silent'].map(k => h('button', {type: 'button', 'aria-pressed': String(k === show), onclick: () => { show = k; draw(); }}, t(k))));
    const q = filter.value.toLowerCase();
    const list = got.items.filter(r => r.name.toLowerCase().includes(q) && (show === 'all' || (show === 'matched') === r.count > 0));
    list.sort((a, b) => order === 'name' ? a.name.localeCompare(b.name) : order === 'last' ? (b.last || '').localeCompare(a.last || '') : order === 'cost' ? (b.cost_share || 0) - (a.cost_share || 0) : b.count - a.count || a.name.localeCompare(b.name));
    const costs = got.items.some(r => r.cost_share), dearest = Math.max(...list.map(r => r.cost_share || 0));
    const head = (label, by, cls, title) => h('th', {class: cls, title, 'aria-sort': order === by ? 'descending' : null}, h('button', {type: 'button', onclick: () => { order = by; draw(); }}, t(label), order === by ? ' ↓' : ''));
    if (!list.length) { put(body, h('div', {class: 'empty'}, h('h2', {}, t('No rule')), h('p', {}, t('Rules appear when they match, or when a daemon that this page asks for numbers has loaded them.')))); return; }
    put(body, h('table', {class: 'first'}, h('thead', {}, h('tr', {}, head('Rule', 'name'), h('th', {}, t('Priority')), head('Matches', 'count', 'num'), h('th', {class: 'num hide-small', title: t('Of all events in this time')}, t('Noise')), h('th', {class: 'hide-small'}, t('Over time')), head('Last match', 'last', 'hide-small'), costs && head('Cost', 'cost', 'num hide-small', t('What the condition takes on one event, evaluated by itself, and its share of what all rules take: estimated by the daemons, from samples')))),
      h('tbody', {}, list.map(r => h('tr', {}, h('td', {}, r.count ? h('a', {href: '#/events?' + query(r.name)}, r.name) : h('span', {class: 'dim'}, r.name)), h('td', {}, r.priority ? priority(r.priority) : ''),
        h('td', {class: 'num'}, r.count ? h('b', {}, count(r.count)) : h('span', {class: 'dim'}, '0')), h('td', {class: 'num hide-small'}, r.count ? (100 * r.share).toFixed(1) + ' %' : ''), h('td', {class: 'hide-small'}, r.count ? spark(r.series) : ''),
        h('td', {class: 'dim hide-small'}, r.last ? ago(Date.parse(r.last)) + ' ' + t('ago') : t('never')), costs && cost(r, dearest))))));
  }

  function cost(r, dearest) {
    if (!r.cost_share) return h('td', {class: 'num hide-small dim'}, '');
    return h('td', {class: 'num hide-small'}, h('div', {class: 'cost'}, h('span', {class: 'dim'}, nanos(r.cost_ns)), h('div', {class: 'meter', style: {'--w': 100 * r.cost_share / dearest + '%'}, 'aria-hidden': 'true'}, h('i', {})), h('span', {class: 'share'}, (100 * r.cost_share).toFixed(1) + ' %')));
  }

  function query(name) {
    const p = new URLSearchParams(params);
    p.append('rule', name);
    return p;
  }
  const again = () => load().catch(err => put(body, problem(err, again)));
  const often = new Again(again, 30000);
  return {again, update(p) { params = new URLSearchParams(p); again(); often.set(p); }, close() { often.stop(); }, keys() {}, change};
}
