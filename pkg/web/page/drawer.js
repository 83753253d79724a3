// SPDX-License-Identifier: Apache-2.0
// One event with all that is known of it.

import {h, put, icon, iconButton, copy, toast} from './dom.js';
import {get, ask, may} from './api.js';
import {t} from './i18n.js';
import {priority, code, problem, latest} from './parts.js';
import {toggle, stamp, route} from './state.js';

const groups = [
  ['Process', /^proc\./], ['User', /^(user|group)\./], ['File and network', /^fd\.|^fs\./], ['Container', /^container\./], ['Kubernetes', /^k8s\.|^ka\./], ['Event', /^evt\.|^syscall\./], ['Other', /./],
];

export class Drawer {
  constructor(on) {
    this.on = on;
    this.el = h('aside', {class: 'drawer', role: 'dialog', 'aria-label': t('Event'), tabindex: '-1', hidden: true});
    document.body.append(this.el);
    this.el.addEventListener('keydown', e => {
      if (e.key === 'Escape') { e.stopPropagation(); this.on.close(); }
    });
    this.load = latest(async (current, signal, uuid) => {
      const got = await get('events/' + encodeURIComponent(uuid), '', signal);
      if (current()) this.draw(got);
    });
  }

  get open() { return !this.el.hidden; }

  show(uuid) {
    if (uuid === this.uuid) return;
    this.uuid = uuid;
    if (!uuid) {
      this.el.hidden = true;
      this.back?.focus?.();
      return;
    }
    if (this.el.hidden) this.back = document.activeElement;
    this.load(uuid).catch(err => { this.el.hidden = false; put(this.el, h('header', {}, this.bar()), problem(err.status === 404 ? new Error(t('This event is not in the store (any more).')) : err)); });
  }

  remove() { this.el.remove(); }

  bar() {
    return h('div', {class: 'row'}, h('span', {class: 'grow'}), iconButton(t('Previous'), 'up', () => this.on.step(-1)), iconButton(t('Next'), 'down', () => this.on.step(1)),
      iconButton(t('Copy link'), 'link', () => copy(this.link(), t('Link copied'))), iconButton(t('Close'), 'close', () => this.on.close()));
  }

  link() {
    const url = new URL(location.href);
    url.hash = '#/events?' + new URLSearchParams({since: '1y', sel: this.uuid});
    return url.href;
  }

  draw({event: e, raw, deliveries, related}) {
    const bar = this.bar();
    bar.prepend(priority(e.priority), h('span', {class: 'dim', title: e.time}, stamp(e.time)));
    put(this.el,
      h('header', {}, bar, h('h1', {}, e.rule),
        h('div', {class: 'row wrapped'}, e.tags.map(x => h('button', {type: 'button', class: 'chip', onclick: () => toggle('tag', x)}, x)))),
      h('div', {class: 'in'},
        h('section', {}, h('div', {class: 'said'}, e.output)),
        this.triage(e),
        this.ancestry(e),
        this.fields(e),
        deliveries.length ? this.section('Deliveries', h('div', {class: 'near'}, deliveries.map(d => h('div', {class: 'row'}, h('span', {class: 'state ' + (d.state === 'delivered' ? 'good' : 'bad')}, t(d.state)), h('b', {}, d.output), h('span', {class: 'dim cut'}, d.error || ''), h('span', {class: 'dim'}, d.attempts > 1 ? d.attempts + '×' : ''))))) : null,
        related.length ? this.section('Around it (same pod, container or process, five minutes)', h('div', {class: 'near'}, related.slice(0, 20).map(r => h('a', {href: '#/events?' + this.selecting(r.uuid)}, h('span', {class: 'dim mono'}, stamp(r.time, 'clock')), priority(r.priority), h('span', {class: 'cut grow'}, r.rule))))) : null,
        this.section('Make an exception', h('p', {class: 'dim'}, t('If this is expected, add it to your local rules and adjust what has to be equal:')), code(exception(e))),
        this.section('Raw', code(pretty(raw)))));
    this.el.hidden = false;
    if (!this.el.contains(document.activeElement)) this.el.focus({preventScroll: true});
  }

  selecting(uuid) {
    const p = new URLSearchParams(route().params);
    p.set('sel', uuid);
    return p;
  }

  section(title, ...kids) { return h('section', {}, h('h2', {}, t(title)), ...kids); }

  triage(e) {
    const states = ['new', 'acknowledged', 'closed', 'false-positive'];
    const note = h('input', {class: 'input grow', placeholder: t('Note'), value: e.note || '', 'aria-label': t('Note'), disabled: !may('annotate')});
    const save = async state => {
      try {
        await ask('PATCH', 'api/v2/events', {body: {uuids: [e.uuid], state, note: note.value}});
        Object.assign(e, {state, note: note.value});
        this.on.changed(e);
        toast(t('Saved'));
        const uuid = this.uuid;
        this.uuid = '';
        this.show(uuid);
      } catch (err) { toast(err.message, true); }
    };
    if (!may('annotate') && e.state === 'new') return null;
    return this.section('State',
      h('div', {class: 'row wrapped'}, h('div', {class: 'seg', role: 'group', 'aria-label': t('State')}, states.map(s => h('button', {type: 'button', 'aria-pressed': String(s === e.state), disabled: !may('annotate'), onclick: () => save(s)}, t(s)))), e.actor && h('span', {class: 'dim'}, t('by') + ' ' + e.actor)),
      h('form', {class: 'row', onsubmit: ev => { ev.preventDefault(); save(e.state); }}, note, may('annotate') && h('button', {class: 'btn', type: 'submit'}, t('Save'))));
  }

  // ancestry draws who started whom, the oldest first.
  ancestry(e) {
    const f = e.output_fields, line = [];
    for (let n = 15; n >= 2; n--) if (f[`proc.aname[${n}]`]) line.push([f[`proc.aname[${n}]`], f[`proc.apid[${n}]`], `proc.aname[${n}]`]);
    const parent = f['proc.pname'] || f['proc.aname[1]'];
    if (parent) line.push([parent, f['proc.ppid'] || f['proc.apid[1]'], 'proc.pname']);
    if (f['proc.name']) line.push([f['proc.name'], f['proc.pid'], 'proc.name']);
    if (line.length < 2) return null;
    return this.section('Who started whom', h('div', {class: 'line'}, line.map(([name, pid, field], i) => [i ? icon('right') : null, h('button', {type: 'button', class: 'chip' + (i === line.length - 1 ? ' on' : ''), onclick: () => toggle('field.' + field, String(name))}, String(name), pid !== undefined && pid !== null ? h('span', {class: 'dim'}, ' ' + pid) : null)])));
  }

  fields(e) {
    const left = new Set(Object.keys(e.output_fields).sort());
    const top = [['Rule', 'rule', e.rule], ['Source', 'source', e.source], ['Host', 'host', e.hostname]].filter(x => x[2]);
    const value = (name, v) => v === null || v === '' ? h('span', {class: 'dim'}, '–') : h('button', {type: 'button', class: 'val', title: t('Show only these'), onclick: () => toggle(name, typeof v === 'object' ? JSON.stringify(v) : String(v))}, typeof v === 'object' ? JSON.stringify(v) : String(v));
    const out = [this.section('Where', h('dl', {class: 'pairs'}, top.map(([label, name, v]) => [h('dt', {}, t(label)), h('dd', {}, value(name, v))])))];
    for (const [label, pattern] of groups) {
      const names = [...left].filter(n => pattern.test(n));
      names.forEach(n => left.delete(n));
      if (names.length) out.push(this.section(label, h('dl', {class: 'pairs'}, names.map(n => [h('dt', {class: 'mono'}, n), h('dd', {}, value('field.' + n, e.output_fields[n]))]))));
    }
    return out;
  }
}

// exception writes what keeps a rule from matching this again.
function exception(e) {
  const f = e.output_fields;
  const names = ['proc.name', 'proc.pname', 'fd.name', 'container.image.repository', 'k8s.ns.name', 'user.name'].filter(n => f[n] !== undefined && f[n] !== null && f[n] !== '').slice(0, 3);
  if (!names.length) names.push(...Object.keys(f).filter(n => typeof f[n] === 'string' && f[n] && !n.startsWith('evt.')).slice(0, 2));
  const id = String(f['proc.name'] || 'known').toLowerCase().replace(/[^a-z0-9]+/g, '_').replace(/^_+|_+$/g, '') || 'known';
  const q = v => JSON.stringify(String(v));
  return [`- rule: ${q(e.rule)}`, '  exceptions:', `    - name: ${id}_is_expected`, `      fields: [${names.join(', ')}]`, `      comps: [${names.map(() => '=').join(', ')}]`, '      values:', `        - [${names.map(n => q(f[n])).join(', ')}]`, '  override:', '    exceptions: append'].join('\n');
}

// pretty breaks JSON into lines without reading its numbers.
function pretty(raw) {
  let out = '', depth = 0, text = false;
  const line = () => { out += '\n' + '  '.repeat(depth); };
  for (let i = 0; i < raw.length; i++) {
    const c = raw[i];
    if (text) { out += c; if (c === '\\') out += raw[++i]; else if (c === '"') text = false; continue; }
    if (c === '"') { text = true; out += c; } else if ((c === '{' || c === '[') && raw[i + 1] !== '}' && raw[i + 1] !== ']') { depth++; out += c; line(); } else if ((c === '}' || c === ']') && raw[i - 1] !== '{' && raw[i - 1] !== '[') { depth--; line(); out += c; } else if (c === ',') { out += c; line(); } else if (c === ':') out += ': '; else out += c;
  }
  return out.replace(/\\u003([ce])|\\u0026/g, (_, x) => x === 'c' ? '<' : x === 'e' ? '>' : '&');
}

