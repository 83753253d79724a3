// SPDX-License-Identifier: Apache-2.0
// The overview: how much, of what, where, and is it more than before.

import {h, put, spark} from './dom.js';
import {get} from './api.js';
import {t, label} from './i18n.js';
import {Timeline} from './chart.js';
import {teach, problem, partial, partly, latest} from './parts.js';
import {filters, change, go, kept, span, count, ago, priorities, route, zone, Again} from './state.js';

export function overview(main) {
  const tiles = h('div', {class: 'tiles'});
  const chartBox = h('div', {class: 'body'});
  const split = h('div', {class: 'seg', role: 'group', 'aria-label': t('Split by')});
  const note = h('span', {});
  const boxes = {};
  for (const name of ['rule', 'host', 'ns', 'image', 'mitre', 'fresh', 'sensors']) boxes[name] = h('div', {class: 'body'});
  const card = (title, body) => h('section', {class: 'card'}, h('header', {}, h('h2', {}, t(title))), body);
  const pad = h('div', {class: 'pad'},
    h('h1', {class: 'away'}, t('Overview')),
    tiles,
    h('section', {class: 'card'}, h('header', {}, h('h2', {}, t('Events over time')), note, split), chartBox),
    h('div', {class: 'cols3'}, card('Top rules', boxes.rule), card('Hosts', boxes.host), card('Namespaces', boxes.ns)),
    h('div', {class: 'cols3'}, card('Images', boxes.image), card('MITRE ATT&CK and tags', boxes.mitre), h('div', {class: 'pad-none'}, card('Rules first seen in the last day', boxes.fresh), h('div', {style: {height: '14px'}}), card('Sensors', boxes.sensors))));
  put(main, pad);
  const chart = new Timeline(chartBox, {height: 210,
    onrange: (from, to) => change(p => { p.delete('since'); p.set('from', from); p.set('to', to); }),
    onclick: name => { const p = filters(route().params); p.append(route().params.get('split') || 'priority', name); go('events', p); }});

  const load = latest(async (current, signal, params) => {
    const query = filters(params);
    const by = params.get('split') || 'priority';
    const [from, to] = span(params);
    const width = to - from;
    const closed = (a, b) => { const q = new URLSearchParams(query); q.delete('since'); q.set('from', Math.floor(a)); q.set('to', Math.floor(b)); return q; };
    const now = closed(from, to), before = closed(Math.max(0, from - width), from);
    const withIt = (q, more) => { const out = new URLSearchParams(q); for (const [k, v] of Object.entries(more)) out.append(k, v); return out; };
    const [hist, facets, past, status, outs, sensors, ...tops] = await Promise.all([
      get('histogram', withIt(now, {split: by, tz: zone()}), signal),
      get('facets', withIt(now, {fields: 'priority,host', top: 1000}), signal),
      get('facets', withIt(before, {fields: 'priority,host', top: 1000}), signal),
      get('status', '', signal), get('outputs', '', signal), get('sensors', '', signal),
      ...['rule', 'host', 'ns', 'image', 'tag'].map(d => get('top', withIt(now, {by: d, n: d === 'tag' ? 60 : 8}), signal)),
    ]);
    if (!current()) return;
    const nothing = !status.store.events && !facets.total;
    if (nothing !== blank) {
      blank = nothing;
      put(main, blank ? h('div', {class: 'pad'}, teach()) : pad);
      often.fit = blank ? 2000 : 10000; // the first event is waited for
      often.set(params);
    }
    if (blank) return;
    drawTiles(facets, past, outs, sensors, params);
    put(split, ['priority', 'source', 'host', 'rule'].map(s => h('button', {type: 'button', 'aria-pressed': String(s === by), onclick: () => change(p => p.set('split', s), true)}, label(s))));
    put(note, partial(partly(hist, facets, past, ...tops)));
    chart.draw(hist, by === 'priority' ? [...priorities].reverse() : null);
    const [rule, host, ns, image, tag] = tops;
    for (const top of [rule, host, ns, image]) ranking(boxes[top.by], top);
    matrix(boxes.mitre, tag);
    fresh(boxes.fresh, status.new_rules);
    health(boxes.sensors, sensors.items, status.hosts);
  });

  function drawTiles(facets, past, outs, sensors, params) {
    const sum = (f, names) => f.facets.priority.filter(c => names.includes(c.value)).reduce((a, c) => a + c.count, 0);
    const grave = ['Emergency', 'Alert', 'Critical'];
    const failing = outs.items.filter(o => o.state === 'failing').length;
    const lost = sensors.items.reduce((a, s) => a + s.lost, 0), produced = sensors.items.reduce((a, s) => a + s.events, 0);
    const down = sensors.items.filter(s => !s.up).length;
    const p = filters(params), graveQuery = new URLSearchParams(p);
    graveQuery.set('min_priority', 'Critical');
    const tile = (name, v, sub, href, bad) => h('a', {class: 'card tile' + (bad ? ' bad' : ''), href}, h('span', {class: 'name'}, t(name)), h('span', {class: 'v'}, v), h('span', {class: 'sub'}, sub));
    put(tiles,
      tile('Events', count(facets.total), delta(facets.total, past.total), '#/events?' + p),
      tile('Critical and above', count(sum(facets, grave)), delta(sum(facets, grave), sum(past, grave)), '#/events?' + graveQuery, sum(facets, grave) > 0),
      tile('Hosts reporting', count(facets.facets.host.length), delta(facets.facets.host.length, past.facets.host.length, true), '#/sensors'),
      tile('Outputs failing', outs.items.length ? `${failing} / ${outs.items.length}` : '–', outs.items.length ? count(outs.items.reduce((a, o) => a + o.backlog, 0)) + ' ' + t('waiting') : outs.named.length ? outs.named.length + ' ' + t('named by the forwarder') : t('no forwarder'), '#/outputs', failing > 0),
      tile('Lost by sensors', sensors.items.length ? count(lost) : '–', sensors.items.length ? (down ? down + ' ' + t('down') + ' · ' : '') + share(lost, produced) : t('no numbers yet'), '#/sensors', lost > 0));
  }
  let blank = false, params;
  const again = () => load(params).catch(err => put(tiles, problem(err, again)));
  const often = new Again(again, 10000);
  return {
    again,
    update(p) { params = p; again(); often.set(p); },
    close() { often.stop(); chart.close(); },
  };
}

function share(lost, of) {
  if (!of) return t('of none');
  const p = 100 * lost / of;
  return p > 0 && p < 0.001 ? '< 0.001 %' : p.toFixed(3) + ' %';
}

function delta(now, before, calm) {
  if (!before) return t('none in the time before');
  const d = Math.round(100 * (now - before) / before);
  return h('span', {title: t('Before: as long a time'), class: 'delta' + (calm || !d ? '' : d > 0 ? ' more' : ' less')}, (d > 0 ? '↑ +' : d < 0 ? '↓ ' : '') + d + ' %', ' ', h('span', {class: 'dim'}, t('from {n}', {n: count(before)})));
}

function ranking(box, top) {
  if (!top.items.length) { put(box, h('p', {class: 'dim'}, t('none'))); return; }
  const most = top.items[0].count;
  put(box, h('ul', {class: 'bars'}, top.items.map(i => {
    const d = i.before ? Math.round(100 * (i.count - i.before) / i.before) : null;
    return h('li', {}, h('button', {type: 'button', style: {'--w': 100 * i.count / most + '%'}, title: i.value, onclick: () => { const p = filters(route().params); p.append(top.by, i.value); go('events', p); }},
      h('span', {class: 'cut'}, i.value), h('span', {class: 'trend'}, d === null ? t('new') : d === 0 ? '=' : (d > 0 ? '↑ ' : '↓ ') + Math.abs(d) + ' %'), h('b', {}, count(i.count))));
  })));
}

function matrix(box, top) {
  if (!top.items.length) { put(box, h('p', {class: 'dim'}, t('none'))); return; }
  const most = Math.max(...top.items.map(i => i.count));
  const nice = v => v.startsWith('mitre_') ? v.slice(6).replaceAll('_', ' ') : v;
  const part = (title, items) => items.length ? [h('p', {class: 'dim', style: {margin: '6px 0 6px', 'font-size': '12px'}}, title), h('div', {class: 'matrix'}, items.map(i => h('button', {type: 'button', style: {'--w': 6 + 44 * Math.sqrt(i.count / most) + '%'}, onclick: () => { const p = filters(route().params); p.append('tag', i.value); go('events', p); }}, nice(i.value), h('b', {}, count(i.count)))))] : [];
  put(box, part(t('Tactics'), top.items.filter(i => i.value.startsWith('mitre_'))), part(t('Techniques'), top.items.filter(i => /^T\d/.test(i.value))), part(t('Tags'), top.items.filter(i => !i.value.startsWith('mitre_') && !/^T\d/.test(i.value)).slice(0, 12)));
}

function fresh(box, list) {
  put(box, list.length ? h('div', {class: 'near'}, list.sort((a, b) => b.first.localeCompare(a.first)).slice(0, 6).map(r => { const p = kept(route().params); p.append('rule', r.value); return h('a', {href: '#/events?' + p}, h('span', {class: 'cut grow'}, r.value), h('span', {class: 'dim'}, ago(Date.parse(r.first)) + ' ' + t('ago'))); })) : h('p', {class: 'dim'}, t('none')));
}

function health(box, sensors, hosts) {
  const known = new Set(sensors.map(s => s.host));
  const rows = [...sensors.map(s => ({host: s.host, at: s.seen, up: s.up, rate: s.rate, hist: s.history})), ...hosts.filter(x => !known.has(x.value)).map(x => ({host: x.value, at: Date.parse(x.last), up: null}))];
  put(box, rows.length ? h('div', {class: 'near'}, rows.slice(0, 8).map(r => h('a', {href: '#/sensors'}, h('span', {class: 'state ' + (r.up === null ? '' : r.up ? 'good' : 'bad')}, r.up === null ? t('events') : r.up ? t('up') : t('down')), h('span', {class: 'cut grow'}, r.host), r.hist && spark(r.hist.slice(-32).map(x => x.rate)), h('span', {class: 'dim'}, ago(r.at))))) : h('p', {class: 'dim'}, t('none')));
}

