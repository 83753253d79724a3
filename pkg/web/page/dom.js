// SPDX-License-Identifier: Apache-2.0
// Elements and texts. Nothing here or elsewhere reads HTML from a string: what
// events say can only become text.

const SVG = 'http://www.w3.org/2000/svg';

// h makes an element: h('a', {class: 'x', href: '#', onclick: f}, 'text', child, …).
export function h(tag, props, ...kids) {
  const el = document.createElement(tag);
  set(el, props);
  add(el, kids);
  return el;
}

function set(el, props) {
  for (const [key, value] of Object.entries(props || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key.startsWith('on')) el.addEventListener(key.slice(2), value);
    else if (key === 'style') Object.entries(value).forEach(([k, v]) => el.style.setProperty(k, v));
    else if (key === 'value' || key === 'checked') el[key] = value;
    else el.setAttribute(key, value === true ? '' : value);
  }
}

export function add(el, kids) {
  for (const kid of kids.flat(9)) {
    if (kid === undefined || kid === null || kid === false) continue;
    el.append(kid instanceof Node ? kid : String(kid));
  }
  return el;
}

export function put(el, ...kids) {
  el.replaceChildren();
  return add(el, kids);
}

// Icons are single paths on a 16 by 16 grid.
const icons = {
  overview: 'M2 13.5h12M3.5 11V7.5M6.5 11V4M9.5 11V6M12.5 11V2.5',
  events: 'M2 3.5h12M2 8h12M2 12.5h8',
  rules: 'M8 1.8l5 2v3.7c0 3.2-2 5.5-5 6.7-3-1.2-5-3.5-5-6.7V3.8zM5.8 8l1.6 1.6 3-3.2',
  outputs: 'M2 8h8M7.5 4.5L11 8l-3.5 3.5M13.5 3v10',
  sensors: 'M8 9.2a1.2 1.2 0 100-2.4 1.2 1.2 0 000 2.4zM4.8 11.2a4.5 4.5 0 010-6.4M11.2 4.8a4.5 4.5 0 010 6.4M2.7 13.3a7.5 7.5 0 010-10.6M13.3 2.7a7.5 7.5 0 010 10.6',
  settings: 'M2 4.5h6M12 4.5h2M2 11.5h2M8 11.5h6M10 6.3a1.8 1.8 0 100-3.6 1.8 1.8 0 000 3.6zM6 13.3a1.8 1.8 0 100-3.6 1.8 1.8 0 000 3.6z',
  search: 'M7 12A5 5 0 107 2a5 5 0 000 10zM10.7 10.7L14 14',
  clock: 'M8 14A6 6 0 108 2a6 6 0 000 12zM8 4.8V8l2.2 1.5',
  play: 'M4.5 3l8 5-8 5z', pause: 'M5 3v10M11 3v10', close: 'M3.5 3.5l9 9M12.5 3.5l-9 9',
  plus: 'M8 3v10M3 8h10', minus: 'M3 8h10', down: 'M4 6l4 4 4-4', up: 'M4 10l4-4 4 4', right: 'M6 4l4 4-4 4', left: 'M10 4L6 8l4 4',
  refresh: 'M13 8a5 5 0 11-1.6-3.7M13 2v3h-3',
  logout: 'M9.5 2.5h-6v11h6M6.5 8h7M11 5.5L13.5 8 11 10.5',
  copy: 'M5.5 5.5v-3h8v8h-3M2.5 5.5h8v8h-8z', link: 'M6.5 9.5l3-3M7 4.5l1.5-1.5a3 3 0 014.5 4.5L11.5 9M9 11.5L7.5 13A3 3 0 013 8.5L4.5 7',
  check: 'M3 8.5l3.5 3.5L13 4.5', warn: 'M8 2l6.5 11.5h-13zM8 6.5v3M8 11.3v.4', export: 'M8 2v8M5 7l3 3 3-3M2.5 13.5h11', columns: 'M2.5 3h11v10h-11zM6.2 3v10M9.8 3v10',
  rows: 'M2.5 3.5h11M2.5 6.5h11M2.5 9.5h11M2.5 12.5h11', star: 'M8 2l1.8 3.9 4.2.5-3.1 2.9.8 4.2L8 11.4l-3.7 2.1.8-4.2L2 6.4l4.2-.5z', user: 'M8 8a2.8 2.8 0 100-5.6A2.8 2.8 0 008 8zM2.8 13.8c.6-2.6 2.6-3.8 5.2-3.8s4.6 1.2 5.2 3.8', group: 'M2.5 3h11v3.5h-11zM4.5 9h9M4.5 12.5h9',
};

export function icon(name, cls) {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('viewBox', '0 0 16 16');
  svg.setAttribute('class', 'icon ' + (cls || ''));
  svg.setAttribute('aria-hidden', 'true');
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', icons[name]);
  svg.append(path);
  return svg;
}

// spark draws a row of numbers as small bars.
export function spark(values, cls) {
  const svg = document.createElementNS(SVG, 'svg');
  const n = Math.max(values.length, 1), most = Math.max(...values, 1);
  svg.setAttribute('viewBox', `0 0 ${n * 3} 20`);
  svg.setAttribute('preserveAspectRatio', 'none');
  svg.setAttribute('class', 'spark ' + (cls || ''));
  svg.setAttribute('aria-hidden', 'true');
  let d = '';
  values.forEach((v, i) => { if (v > 0) d += `M${i * 3 + 1} 20V${20 - Math.max(1.5, 19 * v / most)}`; });
  const path = document.createElementNS(SVG, 'path');
  path.setAttribute('d', d || 'M0 19.5H' + n * 3);
  if (!d) path.setAttribute('class', 'flat');
  svg.append(path);
  return svg;
}

export function button(label, name, onclick, props) {
  return h('button', {type: 'button', class: 'btn', onclick, ...props}, name && icon(name), label && h('span', {}, label));
}

export function iconButton(label, name, onclick, props) {
  return h('button', {type: 'button', class: 'btn ghost', 'aria-label': label, title: label, onclick, ...props}, icon(name));
}

// toast tells something for a moment.
export function toast(text, bad) {
  let box = document.getElementById('toasts');
  if (!box) document.body.append(box = h('div', {id: 'toasts', role: 'status', 'aria-live': 'polite'}));
  const el = h('div', {class: 'toast' + (bad ? ' bad' : '')}, text);
  box.append(el);
  setTimeout(() => el.remove(), 5000);
}

export async function copy(text, told) {
  try {
    await navigator.clipboard.writeText(text);
  } catch { // not a secure origin: as of old
    const area = h('textarea', {class: 'away', value: text});
    document.body.append(area);
    area.select();
    document.execCommand('copy');
    area.remove();
  }
  toast(told);
}

export function empty(title, text, ...more) {
  return h('div', {class: 'empty'}, h('h2', {}, title), text && h('p', {}, text), ...more);
}
