// SPDX-License-Identifier: Apache-2.0
// Settings: what is kept, who may come in, how the page looks.

import {h, put, button, toast} from './dom.js';
import {get, ask, me, may} from './api.js';
import {t, languages, language, setLanguage} from './i18n.js';
import {code, problem, latest} from './parts.js';
import {count, bytes, ago, stamp, settings} from './state.js';

export function settingsScreen(main) {
  const box = {};
  for (const n of ['look', 'store', 'access', 'about', 'audit']) box[n] = h('div', {});
  put(main, h('div', {class: 'pad'}, h('h1', {}, t('Settings')), h('div', {class: 'cols2'}, h('div', {class: 'stack'}, box.store, box.access, box.audit), h('div', {class: 'stack'}, box.look, box.about))));
  const card = (title, ...kids) => h('section', {class: 'card'}, h('header', {}, h('h2', {}, t(title))), h('div', {class: 'body'}, kids));
  const choice = (label, value, options, on) => h('div', {class: 'row', style: {margin: '8px 0'}}, h('span', {class: 'grow'}, t(label)), h('div', {class: 'seg', role: 'group', 'aria-label': t(label)}, options.map(([v, name]) => h('button', {type: 'button', 'aria-pressed': String(v === value), onclick: () => on(v)}, name))));
  const meter = (label, now, most, show) => h('div', {style: {margin: '8px 0'}}, h('div', {class: 'row'}, h('span', {class: 'grow'}, t(label)), h('span', {class: 'dim'}, show(now) + (most ? ' / ' + show(most) : ''))), most ? h('div', {class: 'meter' + (now > 0.9 * most ? ' high' : ''), style: {'--w': Math.min(100, 100 * now / most) + '%'}}, h('i', {})) : null);

  const load = latest(async (current, signal) => {
    const [status, config, version] = await Promise.all([get('status', '', signal), get('config', '', signal), get('version', '', signal)]);
    if (!current()) return;
    put(box.look, card('Look', choice('Theme', settings.get('theme', 'auto'), [['auto', t('Auto')], ['light', t('Light')], ['dark', t('Dark')]], v => dispatchEvent(new CustomEvent('falco:theme', {detail: v}))),
      choice('Language', language(), Object.entries(languages), v => { setLanguage(v); dispatchEvent(new Event('falco:language')); }),
      choice('Times', settings.get('zone', 'local'), [['local', t('Local')], ['utc', 'UTC']], v => { settings.set('zone', v); again(); })));
    const s = status.store, r = status.retention;
    put(box.store, card('What is kept', meter('Events', s.events, r.events, count), meter('Size', s.bytes, r.bytes, bytes), meter('Age', s.oldest ? (Date.now() - s.oldest / 1000) / 1000 : 0, r.seconds, days),
      h('dl', {class: 'pairs'}, pair('Store', s.kind + ', schema ' + s.schema), pair('Oldest event', s.oldest ? stamp(s.oldest / 1000) : '–'), pair('Pruned', count(s.pruned)), Object.entries(r.by_priority || {}).map(([p, sec]) => pair(t(p), sec ? days(sec) : t('for ever'))), pair('Accepted since the start', count(status.accepted)), pair('Refused', count(status.refused)))));
    put(box.about, card('About', h('dl', {class: 'pairs'}, pair('Version', version.GitVersion || '–'), pair('Go', version.GoVersion + ' ' + version.Platform), pair('Running', ago(Date.parse(status.started))), pair('Looking on', count(status.live)), Object.entries(config).map(([k, v]) => pair(k, String(v)))),
      h('p', {}, h('a', {href: 'api/openapi.json', target: '_blank'}, t('API document (OpenAPI)')))));
    if (me.loopback) {
      put(box.access, card('Access', h('p', {}, t('No user has been made: everybody on this machine may read, and nobody may change anything. The log of falcosidekick has a link that makes the first user.'))));
    } else if (may('administer')) await access(signal);
    else put(box.access, card('Access', h('p', {}, `${me.user || '–'}: ${t(me.role)}`)));
  });
  const pair = (k, v) => [h('dt', {}, t(k)), h('dd', {}, v)];
  const days = s => s >= 86400 ? Math.round(s / 86400) + ' ' + t('d') : Math.round(s / 3600) + ' ' + t('h');

  async function access(signal) {
    const [users, tokens, audit] = await Promise.all([get('users', '', signal), get('tokens', '', signal), get('audit', '', signal)]);
    const roles = list => h('select', {name: 'role', class: 'input', 'aria-label': t('Role')}, list.map(r => h('option', {value: r}, t(r))));
    const row = (x, drop) => h('tr', {}, h('td', {}, h('b', {}, x.name)), h('td', {}, t(x.role)), h('td', {class: 'right'}, x.from === 'page' && x.name !== me.user ? button(t('Remove'), null, drop, {class: 'btn small danger'}) : h('span', {class: 'dim'}, t(x.from))));
    const act = async f => { try { await f(); again(); } catch (err) { toast(err.message, true); } };
    const form = (fields, submit) => h('form', {class: 'row wrapped', style: {'margin-top': '10px'}, onsubmit: e => { e.preventDefault(); act(() => submit(Object.fromEntries(new FormData(e.target)))); }}, fields, h('button', {class: 'btn', type: 'submit'}, t('Add')));
    const made = h('div', {});
    put(box.access,
      card('Users', h('table', {}, h('tbody', {}, users.items.map(u => row(u, () => act(() => ask('DELETE', 'api/v2/users/' + encodeURIComponent(u.name))))))),
        form([h('input', {class: 'input grow', name: 'name', required: true, placeholder: t('User'), 'aria-label': t('User'), autocomplete: 'off'}), h('input', {class: 'input grow', name: 'password', type: 'password', required: true, minlength: 8, placeholder: t('Password'), 'aria-label': t('Password'), autocomplete: 'new-password'}), roles(['viewer', 'analyst', 'admin'])], body => ask('POST', 'api/v2/users', {body}))),
      h('div', {style: {height: '14px'}}),
      card('Tokens of programs', h('table', {}, h('tbody', {}, tokens.items.map(u => row(u, () => act(() => ask('DELETE', 'api/v2/tokens/' + encodeURIComponent(u.name))))))), made,
        form([h('input', {class: 'input grow', name: 'name', required: true, placeholder: t('Name'), 'aria-label': t('Name'), autocomplete: 'off'}), roles(['ingest', 'viewer', 'analyst', 'admin'])], async body => {
          const got = await ask('POST', 'api/v2/tokens', {body});
          toast(t('The token is shown once: copy it now.'));
          setTimeout(() => put(box.token, code(got.token)), 300);
        })), box.token = h('div', {style: {'margin-top': '10px'}}));
    put(box.audit, card('Who has done what', h('div', {class: 'near'}, audit.items.slice(0, 30).map(a => h('div', {class: 'row'}, h('span', {class: 'dim mono'}, stamp(a.time / 1000)), h('b', {}, a.user || '–'), h('span', {class: 'cut'}, a.action + ' ' + a.detail), h('span', {class: 'dim'}, a.address))))));
  }
  const again = () => load().catch(err => put(box.store, problem(err, again)));
  return {again, update: again, close() {}};
}
