// SPDX-License-Identifier: Apache-2.0
// The events: a list that scrolls through any number of them, what they have in
// common beside it, and new ones as they come.

import {h, put, icon, button, iconButton, spark, toast} from './dom.js';
import {get, ask, may, me, Live} from './api.js';
import {t, label} from './i18n.js';
import {Timeline} from './chart.js';
import {Drawer} from './drawer.js';
import {priority, teach, problem, partial, partly, latest} from './parts.js';
import {filters, change, toggle, count, stamp, settings, priorities, zone, refreshOf, refreshName, Again} from './state.js';

const pageSize = 200;
const mostRows = 6000; // in memory; what is further up is read again
const heights = {compact: 31, cosy: 50, wrap: 84};
const facetNames = ['priority', 'rule', 'host', 'source', 'ns', 'pod', 'image', 'tag'];
const widths = {time: '168px', priority: '108px', hostname: '120px', source: '96px', ns: '110px', pod: '140px', image: '170px', tags: '180px', state: '110px', output: 'minmax(0, 1fr)'};

export function events(main) {
  const s = {rows: [], next: '', top: false, cur: -1, chosen: new Set(), pending: [], params: new URLSearchParams(), total: 0};
  const facetBox = h('aside', {class: 'facets', 'aria-label': t('Filters')});
  const bar = h('div', {class: 'bar'});
  const strip = h('div', {class: 'strip'});
  const pane = h('div', {class: 'pane'});
  const head = h('div', {class: 'er headrow', role: 'row'});
  const list = h('div', {class: 'list', tabindex: '0', role: 'grid', 'aria-label': t('Events')}, head, pane);
  const pill = h('button', {type: 'button', class: 'pill', hidden: true, onclick: () => { showPending(); list.scrollTop = 0; }});
  const box = h('div', {class: 'ev'}, facetBox, h('div', {class: 'col2'}, bar, strip), h('div', {class: 'listbox'}, list, pill));
  put(main, h('h1', {class: 'away'}, t('Events')), box);
  const drawer = new Drawer({step: d => move(d, true), close: () => change(p => p.delete('sel'), true), changed: e => { const i = s.rows.findIndex(r => r.uuid === e.uuid); if (i >= 0) { s.rows[i] = e; render(true); } }});
  const chart = new Timeline(strip, {height: 88, onrange: (from, to) => change(p => { p.delete('since'); p.set('from', from); p.set('to', to); })});
  let live = null, liveState = 'off', dense = 'cosy', cols = [], key = '', drawn = new Map(), timer = null;

  list.addEventListener('scroll', () => { render(); if (atTop() && s.pending.length) showPending(); }, {passive: true});
  const sizes = new ResizeObserver(() => render(true));
  sizes.observe(list);

  const atTop = () => list.scrollTop < 4;
  const isLive = () => refreshOf(s.params) === 'live';

  const load = latest(async (current, signal) => {
    const query = filters(s.params);
    query.set('limit', pageSize);
    query.set('total', 'true');
    const got = await get('events', query, signal);
    if (!current()) return;
    Object.assign(s, {rows: got.events, next: got.next || '', total: got.total, partial: partly(got), pending: [], cur: -1, dropped: 0, cursor: ''});
    list.scrollTop = 0;
    render(true);
    drawBar();
    if (!got.events.length) {
      const status = await get('status', '', signal);
      if (current() && !status.store.events) put(pane, h('div', {style: {position: 'static'}}, teach()));
      else if (current() && s.partial) put(pane, h('div', {class: 'empty'}, h('h2', {}, t('Nothing was found in five seconds')), h('p', {}, t('A shorter time, or fewer conditions on fields, take less.')), button(t('Try again'), null, loadAll)));
      else if (current()) put(pane, h('div', {class: 'empty'}, h('h2', {}, t('No event fits')), h('p', {}, t('Nothing in this time fulfils all conditions.')), button(t('Clear all filters'), 'close', clear)));
    }
    follow(got.last);
  });

  const loadSide = latest(async (current, signal) => {
    const query = filters(s.params), f = new URLSearchParams(query), hq = new URLSearchParams(query);
    f.set('fields', facetNames.join(','));
    f.set('top', 12);
    hq.set('split', 'priority');
    hq.set('tz', zone());
    hq.set('buckets', 160);
    const [facets, hist] = await Promise.all([get('facets', f, signal), get('histogram', hq, signal)]);
    if (!current()) return;
    if (!facets.partial) s.total = facets.total;
    s.side = partly(facets, hist);
    drawFacets(facets);
    chart.draw(hist, [...priorities].reverse());
    drawBar();
  });

  // more reads the next page when the end comes near.
  let reading = false;
  async function more() {
    if (reading || !s.next) return;
    reading = true;
    const mine = key;
    try {
      const query = filters(s.params);
      query.set('limit', pageSize);
      query.set('cursor', s.next);
      const got = await get('events', query);
      if (mine !== key) return;
      s.rows.push(...got.events);
      s.next = got.next || '';
      if (s.rows.length > mostRows) { // the newest go: the way back is one button
        const cut = s.rows.length - mostRows;
        s.rows.splice(0, cut);
        s.dropped += cut;
        s.cur -= cut;
        list.scrollTop -= cut * heights[dense];
        drawBar();
      }
      render(true);
    } catch (err) { toast(err.message, true); s.next = ''; } finally { reading = false; }
  }

  function follow(after) {
    live?.close();
    live = null;
    liveState = 'off';
    if (isLive()) {
      const query = filters(s.params);
      ['since', 'from', 'to'].forEach(k => query.delete(k));
      live = new Live(query, onLive, after);
      liveState = 'wait';
    }
    drawBar();
  }

  function onLive(kind, data) {
    if (kind === 'up' || kind === 'down') { liveState = kind; drawBar(); return; }
    if (kind === 'gap') { loadAll(); return; }
    if (kind === 'stats') {
      const n = Object.values(data.counts).reduce((a, b) => a + b, 0);
      if (n) { s.total += n; drawBar(); stale = true; }
      return;
    }
    if (kind === 'skipped') { s.skipped = (s.skipped || 0) + data.n; drawBar(); return; }
    if (kind !== 'falco' || s.rows.some(r => r.id === data.id) || s.pending.some(r => r.id === data.id)) return;
    s.pending.push(data);
    if (s.pending.length > 500) s.pending.shift();
    if (atTop() && !s.dropped) showPending();
    else { pill.hidden = false; put(pill, t('{n} new', {n: s.pending.length}), ' ↑'); }
  }
  let stale = false;

  function showPending() {
    pill.hidden = true;
    if (s.dropped) { loadAll(); return; }
    const fresh = s.pending.splice(0).sort((a, b) => b.time.localeCompare(a.time) || b.id - a.id);
    fresh.forEach(e => { e.fresh = Date.now(); });
    if (!fresh.length) return;
    if (!s.rows.length) put(pane);
    s.rows = [...fresh, ...s.rows].sort((a, b) => b.time.localeCompare(a.time) || b.id - a.id).slice(0, mostRows);
    if (s.cur >= 0) s.cur += fresh.length;
    render(true);
  }

  const loadAll = () => { load().catch(fail); loadSide().catch(() => {}); };
  function fail(err) {
    if (err.status === 400) dispatchEvent(new CustomEvent('falco:query', {detail: {message: err.message, position: err.body.position}}));
    s.rows = [];
    put(pane, problem(err, loadAll));
  }
  const pause = () => change(p => { if (isLive()) p.set('live', '0'); else { p.delete('live'); p.delete('refresh'); } }, true);
  const clear = () => change(p => { for (const k of [...p.keys()]) if (!['since', 'from', 'to', 'dense', 'cols', 'live', 'refresh', 'grouped'].includes(k)) p.delete(k); });

  // shownRows are the rows, or one for each group of the same rule, host and process.
  function shownRows() {
    if (s.params.get('grouped') !== '1') return s.rows;
    if (s.groupedOf === s.rows && s.groupedN === s.rows.length) return s.groups;
    const by = new Map();
    for (const e of s.rows) {
      const k = [e.rule, e.hostname, e.output_fields['proc.name']].join('\u0000');
      if (!by.has(k)) by.set(k, {...e, times: 0, at: []});
      const g = by.get(k);
      g.times++;
      g.at.push(Date.parse(e.time));
    }
    s.groupedOf = s.rows;
    s.groupedN = s.rows.length;
    s.groups = [...by.values()];
    return s.groups;
  }

  // render puts the rows that can be seen into the pane, and takes the others out.
  function render(all) {
    const rows = shownRows(), height = heights[dense];
    if (!rows.length) { if (all) { drawn.clear(); pane.style.setProperty('height', 'auto'); if (s.rows.length === 0 && pane.querySelector('.item')) put(pane); } return; }
    if (all) { drawn.clear(); put(pane); }
    pane.style.setProperty('height', rows.length * height + 'px');
    const first = Math.max(0, Math.floor((list.scrollTop - 28) / height) - 6), last = Math.min(rows.length, first + Math.ceil(list.clientHeight / height) + 14);
    for (const [i, el] of drawn) if (i < first || i >= last) { el.remove(); drawn.delete(i); }
    for (let i = first; i < last; i++) if (!drawn.has(i)) { const el = rowOf(rows[i], i); drawn.set(i, el); pane.append(el); }
    if (last > rows.length - 60) more();
  }

  function rowOf(e, i) {
    const small = list.clientWidth < 620;
    const cell = {
      time: () => h('span', {class: 'when', title: e.time}, small ? stamp(e.time, 'clock').slice(0, 8) : [stamp(e.time, 'day').slice(5) + ' ', h('b', {}, stamp(e.time, 'clock'))]),
      priority: () => priority(e.priority),
      output: () => h('span', {class: 'what'}, h('b', {class: 'cut'}, e.rule, e.times > 1 && h('span', {class: 'times'}, '× ' + count(e.times))), h('span', {class: 'out' + (dense === 'wrap' ? '' : ' cut')}, small && dense !== 'compact' ? `${e.hostname} · ` : '', e.output)),
      tags: () => h('span', {class: 'cut'}, e.tags.map(x => [h('span', {class: 'chip'}, x), ' '])),
      state: () => e.state === 'new' ? h('span', {}) : h('span', {class: 'state good'}, t(e.state)),
    };
    const item = h('div', {class: `er item ${dense}${e.fresh && Date.now() - e.fresh < 2400 ? ' new' : ''}${i === s.cur ? ' cur' : ''}`, role: 'row', 'aria-selected': i === s.cur ? 'true' : 'false', 'data-uuid': e.uuid, 'data-id': e.id,
      style: {top: i * heights[dense] + 'px', '--h': heights[dense] + 'px', '--tone': `var(--f-${e.priority.toLowerCase()})`},
      onclick: ev => { if (ev.target.type !== 'checkbox') { s.cur = i; open(e); } }},
    may('annotate') && !small && h('span', {role: 'gridcell'}, h('input', {type: 'checkbox', 'aria-label': t('Choose'), checked: s.chosen.has(e.uuid), onclick: ev => { choose(e, ev.target.checked); }})),
    columns(small).map(c => h('span', {role: 'gridcell', class: 'cut'}, cell[c] ? cell[c]() : c in e ? String(e[c] ?? '') : String(e.output_fields[c] ?? ''))),
    e.times > 1 && h('span', {class: 'away'}, spark(e.at)));
    return item;
  }

  const columns = small => small ? (dense === 'compact' ? ['priority', 'output'] : ['time', 'output']) : cols;

  function layout() {
    const small = list.clientWidth < 620;
    const tracks = columns(small).map(c => small && c === 'time' ? '62px' : small && c === 'priority' ? '18px' : widths[c] || '150px');
    if (may('annotate') && !small) tracks.unshift('16px');
    list.style.setProperty('--cols', tracks.join(' '));
    put(head, may('annotate') && !small && h('span', {role: 'columnheader', 'aria-label': t('Choose')}), columns(small).map(c => h('span', {role: 'columnheader', class: 'cut'}, label(c))));
  }

  function choose(e, on) {
    if (on) s.chosen.add(e.uuid); else s.chosen.delete(e.uuid);
    drawBar();
  }

  function open(e) { change(p => p.set('sel', e.uuid), true); }

  function move(d, andOpen) {
    const rows = shownRows();
    if (!rows.length) return;
    s.cur = Math.max(0, Math.min(rows.length - 1, s.cur + d));
    const top = s.cur * heights[dense], height = heights[dense];
    if (top < list.scrollTop) list.scrollTop = top;
    if (top + height + 28 > list.scrollTop + list.clientHeight) list.scrollTop = top + height + 36 - list.clientHeight;
    render(true);
    if (andOpen) open(rows[s.cur]);
  }

  async function triage(state) {
    const uuids = s.chosen.size ? [...s.chosen] : s.cur >= 0 ? [shownRows()[s.cur].uuid] : [];
    if (!uuids.length || !may('annotate')) return;
    try {
      const got = await ask('PATCH', 'api/v2/events', {body: {uuids, state}});
      s.rows.forEach(e => { if (uuids.includes(e.uuid)) e.state = state; });
      s.chosen.clear();
      toast(t('{n} events: {state}', {n: got.count, state: t(state)}));
      render(true);
      drawBar();
    } catch (err) { toast(err.message, true); }
  }

  function drawBar() {
    const names = [...facetNames, 'state', ...[...s.params.keys()].map(k => k.replace(/^not\./, '')).filter(k => k.startsWith('field.'))];
    const chips = [];
    for (const name of new Set(names)) {
      for (const not of [false, true]) {
        for (const v of s.params.getAll((not ? 'not.' : '') + name)) {
          chips.push(h('button', {type: 'button', class: 'chip on' + (not ? ' not' : ''), title: t('Remove'), onclick: () => toggle(name, v, not)}, `${label(name.replace(/^field\./, ''))}: ${v}`, icon('close')));
        }
      }
    }
    if (s.params.get('min_priority')) chips.push(h('button', {type: 'button', class: 'chip on', onclick: () => change(p => p.delete('min_priority'))}, '≥ ' + t(s.params.get('min_priority')), icon('close')));
    const on = isLive(), word = refreshOf(s.params) === 'off' ? t('Paused') : !on ? t('Every {time}', {time: refreshName(refreshOf(s.params))}) : liveState === 'down' ? t('Reconnecting') : t('Live');
    const query = filters(s.params);
    put(bar,
      iconButton(t('Filters'), 'settings', () => { if (matchMedia('(max-width: 760px)').matches) box.classList.toggle('showfacets'); else { box.classList.toggle('nofacets'); settings.set('facets', box.classList.contains('nofacets') ? 'off' : 'on'); render(true); } }, {class: 'btn ghost filters'}),
      h('span', {class: 'total', 'aria-live': 'off'}, count(s.total), ' ', t('events')),
      partial(partly({partial: s.partial, since: s.partial}, {partial: s.side, since: s.side})),
      s.skipped ? h('span', {class: 'state', title: t('Too many came at once: they are stored, and shown when the list is read again.')}, t('{n} not shown', {n: s.skipped})) : null,
      chips, chips.length > 1 && button(t('Clear all'), null, clear, {class: 'btn ghost small'}),
      h('span', {class: 'grow'}),
      s.chosen.size ? [h('b', {}, t('{n} chosen', {n: s.chosen.size})), button(t('Acknowledge'), 'check', () => triage('acknowledged'), {class: 'btn small'}), button(t('Close'), null, () => triage('closed'), {class: 'btn small hide-small'}), button(t('False positive'), null, () => triage('false-positive'), {class: 'btn small hide-small'})] : null,
      s.dropped ? button(t('Back to the newest'), 'up', loadAll, {class: 'btn small'}) : null,
      h('button', {type: 'button', class: 'btn small live' + (on ? liveState === 'down' ? ' lost' : ' on' : ''), 'aria-pressed': String(on), disabled: !!s.params.get('to'), onclick: pause}, h('span', {class: 'dot'}), word),
      h('div', {class: 'seg hide-small', role: 'group', 'aria-label': t('Density')}, Object.keys(heights).map(d => h('button', {type: 'button', 'aria-pressed': String(d === dense), onclick: () => { settings.set('dense', d); change(p => p.set('dense', d), true); }}, t(d)))),
      h('button', {type: 'button', class: 'btn small ghost hide-small', 'aria-pressed': String(s.params.get('grouped') === '1'), title: t('One row for the same rule, host and process'), onclick: () => change(p => p.get('grouped') === '1' ? p.delete('grouped') : p.set('grouped', '1'), true)}, icon('group'), t('Group')),
      h('div', {class: 'poprel hide-small'}, iconButton(t('Saved views'), 'star', e => views(e.currentTarget.parentElement))),
      h('div', {class: 'poprel hide-small'}, iconButton(t('Columns'), 'columns', e => columnMenu(e.currentTarget.parentElement))),
      h('div', {class: 'poprel hide-small'}, iconButton(t('Export'), 'export', e => menu(e.currentTarget.parentElement, ['ndjson', 'csv', 'json'].map(f => h('a', {class: 'btn ghost', href: `api/v2/export?format=${f}&${query}`, download: ''}, f.toUpperCase()))))));
  }

  function menu(at, kids) {
    if (at.querySelector('.pop')) { at.querySelector('.pop').remove(); return; }
    const pop = h('div', {class: 'pop'}, kids);
    const out = e => { if (!at.contains(e.target)) { pop.remove(); removeEventListener('pointerdown', out, true); } };
    addEventListener('pointerdown', out, true);
    pop.addEventListener('keydown', e => { if (e.key === 'Escape') { pop.remove(); at.querySelector('button').focus(); } });
    at.append(pop);
    pop.querySelector('input, a, button')?.focus();
  }

  // views lists what was saved; a view is what the address says.
  async function views(at) {
    try {
      const got = await get('views');
      const keep = (name, query, shared) => ask('PUT', 'api/v2/views', {body: {name, query, shared}});
      menu(at, h('div', {class: 'near'},
        got.items.map(v => h('div', {class: 'row'}, h('a', {class: 'grow cut', href: '#/events?' + v.query}, v.name), v.shared && h('span', {class: 'dim'}, v.owner), v.owner === me.user && may('annotate') && iconButton(t('Remove'), 'close', async e => { const row = e.currentTarget.parentElement; try { await keep(v.name, '', false); row.remove(); } catch (err) { toast(err.message, true); } }))),
        got.items.length ? null : h('p', {class: 'dim'}, t('No view has been saved.')),
        may('annotate') && h('form', {class: 'row', onsubmit: async e => {
          e.preventDefault();
          const f = new FormData(e.target), p = new URLSearchParams(s.params);
          p.delete('sel');
          try { await keep(f.get('name'), String(p) || 'since=24h', f.get('shared') === 'on'); toast(t('Saved')); at.querySelector('.pop').remove(); } catch (err) { toast(err.message, true); }
        }}, h('input', {class: 'input grow', name: 'name', required: true, placeholder: t('Name of this view'), 'aria-label': t('Name of this view')}), h('label', {class: 'row'}, h('input', {type: 'checkbox', name: 'shared'}), t('for all')), h('button', {class: 'btn', type: 'submit'}, t('Save')))));
    } catch (err) { toast(err.message, true); }
  }

  function columnMenu(at) {
    const known = ['time', 'priority', 'output', 'hostname', 'source', 'ns', 'pod', 'image', 'tags', 'state'];
    const fields = [...new Set(s.rows.slice(0, 200).flatMap(e => Object.keys(e.output_fields)))].sort().slice(0, 60);
    const pick = c => h('label', {class: 'row'}, h('input', {type: 'checkbox', checked: cols.includes(c), onclick: e => {
      const list = e.target.checked ? [...cols, c] : cols.filter(x => x !== c);
      change(p => p.set('cols', list.join(',')), true);
    }}), h('span', {class: 'cut'}, label(c)));
    menu(at, h('div', {style: {display: 'grid', gap: '5px', 'max-height': '60vh', overflow: 'auto'}}, known.map(pick), h('span', {class: 'dim'}, t('Output fields')), fields.map(pick)));
  }

  function drawFacets(got) {
    const closed = new Set(settings.get('closed', 'pod,image').split(','));
    const focus = document.activeElement?.dataset?.facet;
    put(facetBox, h('div', {class: 'row only-small'}, h('b', {class: 'grow'}, t('Filters')), iconButton(t('Close'), 'close', () => box.classList.remove('showfacets'))), facetNames.map(name => {
      const on = s.params.getAll(name), off = s.params.getAll('not.' + name);
      let values = got.facets[name] || [];
      for (const v of [...on, ...off]) if (!values.some(c => c.value === v)) values = [...values, {value: v, count: 0}];
      if (!values.length) return null;
      if (name === 'priority') values.sort((a, b) => priorities.indexOf(a.value) - priorities.indexOf(b.value));
      return h('details', {open: !closed.has(name), ontoggle: e => { if (e.target.open) closed.delete(name); else closed.add(name); settings.set('closed', [...closed].join(',')); }},
        h('summary', {}, icon('right'), label(name), h('span', {class: 'dim'}, values.length >= 12 ? '12+' : values.length)),
        values.map(c => h('div', {class: 'fv' + (on.includes(c.value) ? ' on' : '') + (off.includes(c.value) ? ' off' : '')},
          h('button', {type: 'button', 'aria-pressed': String(on.includes(c.value)), title: c.value, 'data-facet': name + ':' + c.value, onclick: () => toggle(name, c.value)}, name === 'priority' ? priority(c.value) : h('span', {class: 'cut'}, c.value), h('span', {class: 'n'}, count(c.count))),
          h('button', {type: 'button', class: 'no', 'aria-label': t('Exclude {what}', {what: c.value}), title: t('Exclude'), onclick: () => toggle(name, c.value, true)}, icon('minus')))));
    }));
    if (focus) [...facetBox.querySelectorAll('[data-facet]')].find(el => el.dataset.facet === focus)?.focus();
  }

  if (settings.get('facets', 'on') === 'off') box.classList.add('nofacets');
  timer = setInterval(() => { if (stale && !document.hidden) { stale = false; loadSide().catch(() => {}); } }, 5000);
  // Whoever reads further down, or has chosen something, keeps it.
  const often = new Again(() => { if (!isLive() && atTop() && !s.chosen.size && !drawer.open) loadAll(); }, 0);

  return {
    again: loadAll,
    update(params) {
      const before = key;
      s.params = params;
      dense = params.get('dense') || settings.get('dense', 'cosy');
      if (!heights[dense]) dense = 'cosy';
      cols = (params.get('cols') || settings.get('cols', 'time,priority,output,hostname,ns')).split(',').filter(Boolean);
      key = String(filters(params));
      often.set(params);
      layout();
      if (key !== before) { s.chosen.clear(); s.skipped = 0; loadAll(); } else {
        render(true);
        if (isLive() !== !!live) { if (isLive()) loadAll(); else follow(); }
        drawBar();
      }
      drawer.show(params.get('sel'));
    },
    close() { often.stop(); live?.close(); chart.close(); sizes.disconnect(); drawer.remove(); clearInterval(timer); },
    keys(e) {
      if (e.key === 'j' || e.key === 'ArrowDown') move(1, drawer.open);
      else if (e.key === 'k' || e.key === 'ArrowUp') move(-1, drawer.open);
      else if (e.key === 'Enter' && s.cur >= 0 && (document.activeElement === list || document.activeElement === document.body)) open(shownRows()[s.cur]);
      else if (e.key === 'x' && s.cur >= 0) { const r = shownRows()[s.cur]; choose(r, !s.chosen.has(r.uuid)); render(true); } else if (e.key === 'a') triage('acknowledged');
      else if (e.key === 'l') pause();
      else if (e.key === 'Escape' && drawer.open) change(p => p.delete('sel'), true);
      else return;
      e.preventDefault();
    },
  };
}

