// SPDX-License-Identifier: Apache-2.0
// The timeline: stacked bars over time, drawn by uPlot. Dragging chooses a time.

/* global uPlot */
import {h, put} from './dom.js';
import {t} from './i18n.js';
import {zone, count, stamp} from './state.js';

const css = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const hues = ['--c1', '--c2', '--c3', '--c4', '--c5', '--c6', '--c7', '--c8', '--c9'];

export function colour(name, i) {
  return css('--f-' + name.toLowerCase()) || css(hues[i % hues.length]);
}

// tick writes a time below the chart: what changes from one to the next.
function tick(at, step) {
  if (step >= 86400) return stamp(at * 1e3, 'day').slice(5);
  const clock = stamp(at * 1e3, 'clock');
  return clock.slice(0, 5) === '00:00' ? stamp(at * 1e3, 'day').slice(5) : clock.slice(0, step < 60 ? 8 : 5);
}

// Timeline keeps one chart in a box. names are the series, bottom first.
export class Timeline {
  constructor(box, {onrange, onclick, height = 200}) {
    this.box = box;
    this.onrange = onrange;
    this.onclick = onclick;
    this.height = height;
    this.observer = new ResizeObserver(() => this.plot && this.plot.setSize({width: this.area.clientWidth, height: this.height}));
    this.observer.observe(box);
  }

  // draw shows a histogram of the API, at most so many series and the rest as one.
  draw(hist, order, most = 8) {
    const at = hist.buckets.slice(0, -1), n = at.length;
    let names = Object.keys(hist.series);
    const sum = name => hist.series[name].reduce((a, b) => a + b, 0);
    if (order) names = order.filter(name => names.includes(name));
    else names.sort((a, b) => sum(b) - sum(a));
    const rest = names.slice(most);
    names = names.slice(0, most);
    const rows = names.map(name => hist.series[name]);
    if (rest.length) {
      names.push(t('others'));
      rows.push(at.map((_, i) => rest.reduce((a, name) => a + hist.series[name][i], 0)));
    }
    this.names = names;
    this.rows = rows;
    this.hist = hist;
    // Each bar reaches up to the sum of its series and those before: the highest is drawn first.
    const stacked = [];
    const total = new Array(n).fill(0);
    for (const row of [...rows].reverse()) {
      row.forEach((v, i) => { total[i] += v; });
      stacked.unshift([...total]);
    }
    this.render([at.map(ms => ms / 1000), ...stacked]);
    this.legend();
  }

  render(data) {
    const key = this.names.join('\n') + css('--bg') + zone();
    const step = (this.hist.buckets[1] - this.hist.buckets[0]) / 1000;
    if (this.plot && this.key === key) {
      this.step = step;
      this.plot.setData(data);
      return;
    }
    this.key = key;
    this.step = step;
    this.plot?.destroy();
    const axis = {stroke: css('--dim'), font: '11px system-ui, sans-serif', grid: {stroke: css('--line'), width: 1}, ticks: {show: false}};
    const bars = uPlot.paths.bars({size: [0.86, 40], align: 1});
    this.legendBox = h('div', {class: 'legend'});
    this.tip = h('div', {class: 'tip', hidden: true});
    const area = this.area = h('div', {class: 'plot'}, this.tip);
    put(this.box, area, this.legendBox);
    this.plot = new uPlot({
      width: area.clientWidth || 600, height: this.height, padding: [8, 0, 0, 0], legend: {show: false},
      tzDate: ts => uPlot.tzDate(new Date(ts * 1e3), zone()),
      cursor: {y: false, points: {show: false}, drag: {x: true, y: false, setScale: false}},
      scales: {x: {time: true, range: (_, a, b) => [a, Math.max(b + this.step, a + this.step)]}, y: {range: (_, a, b) => [0, Math.max(b, 1) * 1.05]}},
      axes: [{...axis, grid: {show: false}, size: 24, space: 64, values: (_, list, __, ___, incr) => list.map(at => tick(at, incr))}, {...axis, size: 44, values: (_, list) => list.map(v => Number.isInteger(v) ? count(v) : '')}],
      series: [{}, ...this.names.map((name, i) => ({label: name, fill: colour(name, i), stroke: colour(name, i), width: 0, paths: bars, points: {show: false}}))],
      hooks: {
        setSelect: [u => {
          if (u.select.width < 4) return;
          const from = u.posToVal(u.select.left, 'x') * 1000, to = u.posToVal(u.select.left + u.select.width, 'x') * 1000;
          u.setSelect({left: 0, width: 0, top: 0, height: 0}, false);
          this.onrange?.(Math.floor(from), Math.ceil(to));
        }],
        setCursor: [u => this.point(u)],
      },
    }, data, area);
  }

  point(u) {
    const {left, top} = u.cursor;
    if (left < 0) { this.tip.hidden = true; return; }
    const at = u.posToVal(left, 'x') * 1000;
    const i = this.hist.buckets.findIndex((b, j) => at >= b && at < (this.hist.buckets[j + 1] ?? b));
    if (i < 0 || i >= this.hist.buckets.length - 1) { this.tip.hidden = true; return; }
    const lines = this.names.map((name, k) => [name, this.rows[k][i], k]).filter(x => x[1] > 0);
    put(this.tip, h('div', {class: 'when'}, stamp(this.hist.buckets[i], 'short')),
      lines.length ? lines.map(([name, v, k]) => h('div', {class: 'line'}, h('i', {style: {background: colour(name, k)}}), h('span', {}, t(name)), h('b', {}, count(v)))) : h('div', {class: 'dim'}, t('nothing')));
    this.tip.hidden = false;
    const right = left > u.over.clientWidth / 2;
    this.tip.style.setProperty('left', right ? 'auto' : left + 60 + 'px');
    this.tip.style.setProperty('right', right ? u.over.clientWidth - left + 16 + 'px' : 'auto');
    this.tip.style.setProperty('top', Math.max(4, Math.min(top, this.height - 120)) + 'px');
  }

  legend() {
    put(this.legendBox, this.names.map((name, i) => [name, i]).reverse().map(([name, i]) => {
      const dot = h('i', {style: {background: colour(name, i)}}), n = count(this.rows[i].reduce((a, b) => a + b, 0));
      return name === t('others') || !this.onclick ? h('span', {class: 'key'}, dot, t(name), h('b', {}, n)) :
        h('button', {type: 'button', class: 'key', onclick: () => this.onclick(name)}, dot, t(name), h('b', {}, n));
    }));
  }

  close() {
    this.observer.disconnect();
    this.plot?.destroy();
  }
}
