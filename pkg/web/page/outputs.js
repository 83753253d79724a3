// SPDX-License-Identifier: Apache-2.0
// Outputs: what waits, what failed, what was given up.

import {h, put, button, toast} from './dom.js';
import {get, ask, may} from './api.js';
import {t} from './i18n.js';
import {problem, latest} from './parts.js';
import {count, bytes, ago, stamp, Again} from './state.js';

export function outputs(main) {
  const body = h('div', {}), dead = h('div', {});
  put(main, h('div', {class: 'pad'}, h('h1', {}, t('Outputs')), body, dead));
  const load = latest(async (current, signal) => {
    const got = await get('outputs', '', signal);
    if (current()) draw(got);
  });
  const act = async (name, what, told) => {
    try {
      await ask('POST', `api/v2/outputs/${encodeURIComponent(name)}/${what}`);
      toast(t(told, {name}));
      again();
    } catch (err) { toast(err.message, true); }
  };

  function draw({items, named}) {
    if (!items.length) {
      put(body, h('section', {class: 'card'}, h('div', {class: 'empty'}, h('h2', {}, t(named.length ? 'The forwarder is another program' : 'No output is set up')),
        h('p', {}, named.length ? t('It posts to this page and also sends to: {names}. Their state is known to it alone.', {names: named.join(', ')}) : t('Alerts can also go to Slack, Kafka, a webhook and some sixty others: name them in the configuration of falcosidekick, and their state is shown here.')))));
      return;
    }
    put(body, h('section', {class: 'card scrollx'}, h('table', {}, h('thead', {}, h('tr', {}, h('th', {}, t('Output')), h('th', {}, t('State')), h('th', {class: 'num'}, t('Waiting')), h('th', {class: 'num hide-small'}, t('Oldest')), h('th', {class: 'num hide-small'}, t('Sent')), h('th', {class: 'num hide-small'}, t('Retried')), h('th', {class: 'num'}, t('Given up')), h('th', {}, ''))),
      h('tbody', {}, items.map(o => h('tr', {}, h('td', {}, h('b', {}, o.name), o.last_error ? h('div', {class: 'dim mono', title: o.error_time ? stamp(o.error_time / 1000) : ''}, o.last_error) : null),
        h('td', {}, h('span', {class: 'state ' + ({ok: 'good', failing: 'bad'}[o.state] || '')}, t(o.state))),
        h('td', {class: 'num'}, count(o.backlog), o.bytes ? h('div', {class: 'dim'}, bytes(o.bytes)) : null), h('td', {class: 'num hide-small'}, o.oldest ? ago(o.oldest / 1000) : ''), h('td', {class: 'num hide-small'}, count(o.sent)), h('td', {class: 'num hide-small'}, count(o.retried)),
        h('td', {class: 'num'}, o.dead ? button(count(o.dead), null, () => showDead(o.name), {class: 'btn small danger'}) : '0'),
        h('td', {}, may('administer') ? h('div', {class: 'row'}, button(t('Test'), null, () => act(o.name, 'test', 'A test event is on its way to {name}'), {class: 'btn small'}), o.state === 'paused' ? button(t('Resume'), 'play', () => act(o.name, 'resume', '{name} sends again'), {class: 'btn small'}) : button(t('Pause'), 'pause', () => act(o.name, 'pause', '{name} is paused: events wait'), {class: 'btn small'})) : '')))))));
  }

  async function showDead(name) {
    try {
      const got = await get(`outputs/${encodeURIComponent(name)}/dead`);
      put(dead, h('section', {class: 'card scrollx'}, h('header', {}, h('h2', {}, t('Given up by {name}', {name})), may('administer') && button(t('Send once more'), 'play', () => act(name, 'replay', 'What was given up goes to {name} once more'), {class: 'btn small'})),
        h('table', {}, h('tbody', {}, got.items.map(d => h('tr', {}, h('td', {class: 'dim mono'}, stamp(d.time / 1000)), h('td', {}, h('a', {href: '#/events?since=1y&sel=' + encodeURIComponent(d.uuid)}, d.rule)), h('td', {class: 'dim'}, d.error)))))));
    } catch (err) { toast(err.message, true); }
  }
  const again = () => load().catch(err => put(body, problem(err, again)));
  const often = new Again(again, 5000);
  return {again, update(p) { again(); often.set(p); }, close() { often.stop(); }};
}
