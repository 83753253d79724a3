// SPDX-License-Identifier: Apache-2.0
// Sensors: the daemons' own numbers. What was lost is told first.

import {h, put, spark} from './dom.js';
import {get} from './api.js';
import {t} from './i18n.js';
import {code, problem, latest} from './parts.js';
import {count, bytes, ago, Again} from './state.js';

export function sensors(main) {
  const body = h('div', {class: 'sgrid'}), hosts = h('div', {});
  put(main, h('div', {class: 'pad'}, h('h1', {}, t('Sensors')), body, hosts));
  const load = latest(async (current, signal) => {
    const [got, status] = await Promise.all([get('sensors', '', signal), get('status', '', signal)]);
    if (!current()) return;
    if (got.items.length) put(body, got.items.map(card));
    else put(body, h('section', {class: 'card'}, h('div', {class: 'empty'}, h('h2', {}, t('No daemon has told its numbers yet')), h('p', {}, t('Events per second, what was lost and why, rings and memory come from the daemon. Either let it write snapshots as events, or name its metrics page to the forwarder:')),
      h('div', {class: 'steps'}, code('# falco.yaml\nmetrics:\n  enabled: true\n  interval: 1m\n  output_rule: true'), code('# falcosidekick.yaml\nwebui:\n  sensors: [http://127.0.0.1:8765/metrics]')))));
    const known = new Set(got.items.map(s => s.host)), rest = status.hosts.filter(x => !known.has(x.value));
    put(hosts, rest.length ? h('section', {class: 'card scrollx'}, h('header', {}, h('h2', {}, t('Hosts that send events only'))), h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, t('Host')), h('th', {class: 'num'}, t('Events')), h('th', {}, t('Last event')))), h('tbody', {}, rest.map(x => h('tr', {}, h('td', {}, h('a', {href: '#/events?since=30d&host=' + encodeURIComponent(x.value)}, x.value)), h('td', {class: 'num'}, count(x.count)), h('td', {class: 'dim'}, ago(Date.parse(x.last)) + ' ' + t('ago'))))))) : null);
  });

  function card(s) {
    const num = (label, v, bad) => h('div', {}, h('span', {}, t(label)), h('b', {class: bad ? 'p-critical' : ''}, v));
    const share = s.events ? 100 * s.lost / s.events : 0;
    return h('section', {class: 'card sensor'},
      h('div', {class: 'row'}, h('span', {class: 'state ' + (s.up ? 'good' : 'bad')}, s.up ? t('up') : t('down')), h('h2', {class: 'cut grow'}, s.host), h('span', {class: 'dim', title: t('Last word')}, ago(s.seen) + ' ' + t('ago'))),
      h('div', {class: 'dim small'}, [s.version && 'falco ' + s.version, s.engine, s.kernel].filter(Boolean).join(' · ')),
      s.error ? h('div', {class: 'dim mono'}, s.error) : null,
      spark([...new Array(Math.max(0, 90 - s.history.length)).fill(0), ...s.history.slice(-90).map(x => x.rate)], 'wide'),
      h('div', {class: 'nums'}, num('Events a second', count(s.rate)), num('Lost', count(s.lost) , s.lost > 0), num('Share', share ? (share < 0.001 ? '< 0.001' : share.toFixed(3)) + ' %' : '0 %'), num('Alerts', count(s.alerts)), num('CPU', s.cpu.toFixed(1) + ' %'), num('Memory', bytes(s.memory)), num('Threads', count(s.threads)), num('Behind', (s.lag || 0).toFixed(2) + ' s', s.lag > 1)),
      s.rings?.length ? h('div', {}, h('p', {class: 'dim'}, t('Rings')), s.rings.map(r => { const fill = r.size ? 100 * r.used / r.size : 0; return h('div', {class: 'row', style: {'margin-top': '4px'}}, h('span', {class: 'dim mono', style: {width: '52px'}}, 'cpu ' + r.cpu), h('div', {class: 'meter grow' + (fill > 70 ? ' high' : ''), style: {'--w': fill + '%'}, role: 'img', 'aria-label': fill.toFixed(1) + ' %'}, h('i', {})), h('span', {class: 'mono right', style: {width: '52px'}}, fill.toFixed(1) + ' %')); })) : null,
      s.losses?.length ? h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, t('Lost event')), h('th', {}, t('Cause')), h('th', {class: 'num'}, t('Count')))), h('tbody', {}, s.losses.slice(0, 8).map(l => h('tr', {}, h('td', {class: 'mono'}, l.event), h('td', {}, l.cause), h('td', {class: 'num'}, count(l.count)))))) : s.events ? h('p', {class: 'dim'}, t('Nothing was lost.')) : null);
  }
  const again = () => load().catch(err => put(body, problem(err, again)));
  const often = new Again(again, 5000);
  return {again, update(p) { again(); often.set(p); }, close() { often.stop(); }};
}
